"""The edge to RabbitMQ: only here are aio-pika, asyncio and trio-asyncio known."""
