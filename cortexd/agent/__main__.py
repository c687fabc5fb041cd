"""`python -m cortexd.agent` is `cortex-agent`."""

from cortexd.agent.cli import main

main()
