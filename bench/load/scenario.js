// Users who chat, think, and chat again; one request in ten asks for the health instead.
//
// By hand: BASE_URL=http://127.0.0.1:4000 k6 run --no-usage-report bench/load/scenario.js
// `python -m bench.load` starts the nodes as well, and says more about them.
//
// Source of the API: https://grafana.com/docs/k6/latest/javascript-api/

import http from 'k6/http';
import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:4000';
const MODEL = __ENV.MODEL || 'auto';
const KEY = __ENV.API_KEY ? { authorization: `Bearer ${__ENV.API_KEY}` } : {};
const STAGES = JSON.parse(
  __ENV.STAGES || '[{"duration": "20s", "target": 100}, {"duration": "1m", "target": 100}, {"duration": "5s", "target": 0}]',
);

const HEALTH_SHARE = 0.1;
const STREAMED_SHARE = 0.5;
// The same question again may be answered out of the cache.
const REPEATED_SHARE = 0.1;
const THINK_S_MIN = 1;
const THINK_S_MAX = 3;

const QUESTIONS = [
  'What is artificial intelligence?',
  'Write a short poem about technology.',
  'What is machine learning good for?',
  'How does a large language model work?',
  'What is the difference between deep learning and statistics?',
];

// A request is an error for one of three reasons.
const errors = new Rate('errors');
const unanswered = new Counter('unanswered');
const refused = new Counter('refused');
const notWhole = new Counter('not_whole');

export const options = {
  scenarios: {
    users: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: STAGES,
      // Nobody leaves in the midst of an answer.
      gracefulRampDown: '30s',
      gracefulStop: '30s',
    },
  },
  thresholds: {
    'http_req_duration{kind:chat}': ['p(95)<2000'],
    errors: ['rate<0.05'],
  },
  summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'max', 'count'],
};

export default function () {
  if (Math.random() < HEALTH_SHARE) {
    askHealth();
  } else {
    chat(Math.random() < STREAMED_SHARE);
  }
  sleep(THINK_S_MIN + Math.random() * (THINK_S_MAX - THINK_S_MIN));
}

function askHealth() {
  const answer = http.get(`${BASE_URL}/api/health`, { timeout: '5s', tags: { kind: 'health' } });
  judge(answer, true);
}

function chat(stream) {
  const question = QUESTIONS[Math.floor(Math.random() * QUESTIONS.length)];
  const own = Math.random() < REPEATED_SHARE ? '' : ` (${__VU}-${__ITER})`;
  const body = JSON.stringify({
    model: MODEL,
    messages: [{ role: 'user', content: question + own }],
    temperature: 0.7,
    max_tokens: 150,
    stream,
  });
  const answer = http.post(`${BASE_URL}/v1/chat/completions`, body, {
    headers: { 'content-type': 'application/json', ...KEY },
    timeout: '30s',
    tags: { kind: 'chat' },
  });
  judge(answer, isWhole(answer, stream));
}

function judge(answer, whole) {
  errors.add(answer.status !== 200 || !whole);
  if (answer.status === 0) {
    unanswered.add(1);
  } else if (answer.status !== 200) {
    refused.add(1);
  } else if (!whole) {
    notWhole.add(1);
  }
}

// A stream is whole when its terminator has come, a document when it says why it ended.
function isWhole(answer, stream) {
  if (!answer.body) {
    return false;
  }
  if (stream) {
    return answer.body.trimEnd().endsWith('\ndata: [DONE]');
  }
  try {
    return Boolean(answer.json('choices.0.finish_reason'));
  } catch (_) {
    return false;
  }
}

export function handleSummary(data) {
  const text = JSON.stringify(data, null, 2);
  return __ENV.SUMMARY ? { [__ENV.SUMMARY]: text } : { stdout: text };
}
