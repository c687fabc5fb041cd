/* A conversation with any worker, to see how it answers. What it says is only ever text. */

import { openStream } from "./api.js";
import { copyOf, field, fill, setText } from "./dom.js";
import { onDashboard } from "./feed.js";
import { milliseconds } from "./format.js";

const ANYBODY = "auto";

export function chat(page, signal) {
  const form = document.getElementById("ask");
  const question = document.getElementById("question");
  const model = document.getElementById("model");
  const messages = document.getElementById("messages");
  const placeholder = messages.querySelector(".empty");
  const stop = document.getElementById("stop");
  const send = document.getElementById("send");
  let history = [];
  let running = null;

  onDashboard(({ workers }) => offer(model, workers), signal);
  signal.addEventListener("abort", () => running?.abort());
  stop.addEventListener("click", () => running?.abort());
  document.getElementById("clear").addEventListener("click", () => {
    running?.abort();
    history = [];
    messages.replaceChildren(placeholder);
    question.focus();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = question.value.trim();
    if (!text || running) return;
    placeholder.remove();
    question.value = "";
    history.push({ role: "user", content: text });
    fill(add(messages, "you"), { text });
    running = new AbortController();
    setBusy(true);
    const asked = history;
    const reply = await answer(add(messages, "worker"), model.value, asked, running.signal);
    if (asked === history) {
      if (reply) history.push({ role: "assistant", content: reply });
      else history.pop();
    }
    running = null;
    setBusy(false);
    question.focus();
  });

  function setBusy(busy) {
    send.hidden = busy;
    stop.hidden = !busy;
  }
}

/** Every model of every worker, as what a client would ask for. */
function offer(choice, workers) {
  const wanted = workers.flatMap(({ name, models }) => models.map((each) => `${name}/${each}`));
  const options = new Map([...choice.options].map((option) => [option.value, option]));
  for (const value of wanted) if (!options.has(value)) choice.add(new Option(value, value));
  for (const [value, option] of options) {
    if (value !== ANYBODY && !wanted.includes(value) && !option.selected) option.remove();
  }
}

function add(messages, who) {
  const line = copyOf("message");
  line.dataset.who = who;
  fill(line, { who });
  messages.append(line);
  messages.scrollTop = messages.scrollHeight;
  return line;
}

/** Streams the answer into its line; gives its text, or nothing if there was none. */
async function answer(line, model, messages, signal) {
  const began = performance.now();
  let text = "";
  let first = null;
  let worker = null;
  const about = (end) =>
    setText(
      field(line, "about"),
      [worker && `by ${worker}`, first && `first token after ${milliseconds(first)}`, end]
        .filter(Boolean)
        .join(" · "),
    );
  try {
    const response = await openStream("/admin/chat", { model, messages, stream: true }, signal);
    worker = response.headers.get("x-cortexd-worker");
    about("answering");
    for await (const event of eventsOf(response.body)) {
      if (event.error) throw new Error(event.error.message);
      const said = event.choices?.[0]?.delta?.content;
      if (!said) continue;
      first ??= performance.now() - began;
      text += said;
      setText(field(line, "text"), text);
      const messages = line.parentElement;
      if (messages) messages.scrollTop = messages.scrollHeight;
    }
    about(`done after ${milliseconds(performance.now() - began)}`);
  } catch (error) {
    const isStopped = signal.aborted;
    about(isStopped ? "stopped" : error.message);
    if (!isStopped) line.dataset.tone = "bad";
    if (!isStopped && !text) setText(field(line, "text"), "No answer.");
  }
  return text;
}

/** The events of a stream in OpenAI's format. An end without `[DONE]` is an error. */
async function* eventsOf(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the answer broke off");
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((each) => each.startsWith("data:"))
        .map((each) => each.slice(5).trim())
        .join("\n");
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}
