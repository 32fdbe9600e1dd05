// A small OpenAI-compatible server over llama.cpp: a real model for the tests.
//
//   node server.mjs --packages DIR --model FILE.gguf --port N [--name NAME] [--at-once N]
//
// A conversation that ends in the assistant's own words is gone on with, from their
// last character (also for who asks for it with continue_final_message).
//
// It answers GET /health, GET /stats, GET /v1/models and POST
// /v1/chat/completions (plain and streaming, with usage). Each request gets a
// llama context of its own with one thread and an empty memory, and one context
// computes at a time (two at once disturb each other in this engine: now and then
// a token is wrong). So a greedy answer (temperature 0) is the same text each
// time, whatever else the server is doing, and tests can compare it word for word.
import http from "node:http";
import {createRequire} from "node:module";
import {parseArgs} from "node:util";
import {pathToFileURL} from "node:url";

const {values: options} = parseArgs({
	options: {
		packages: {type: "string"},           // where node_modules is
		model: {type: "string"},
		port: {type: "string"},
		name: {type: "string", default: "small"},
		"at-once": {type: "string", default: "4"},
	},
});
const MAX_BODY = 1 << 20;
const CONTEXT_TOKENS = 1024;
const DEFAULT_MAX_TOKENS = 128;
const DEFAULT_SYSTEM = "You are a helpful assistant.";

async function loadPackage(name) {
	const require = createRequire(pathToFileURL(`${options.packages}/package.json`));
	return import(pathToFileURL(require.resolve(name)));
}

const {getLlama, LlamaLogLevel} = await loadPackage("node-llama-cpp");
const llama = await getLlama({
	gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error,
});
const model = await llama.loadModel({modelPath: options.model});

// The contexts that nobody uses, and the requests that wait for one.
const idle = [];
const waiting = [];
const stats = {running: 0, finished: 0, cancelled: 0, continued: 0, tokens: 0};
for (let i = 0; i < Number(options["at-once"]); i++) {
	const context = await model.createContext({
		contextSize: CONTEXT_TOKENS, sequences: 1, threads: {ideal: 1, min: 1},
	});
	idle.push(context.getSequence());
}

function takeSequence() {
	if (idle.length > 0)
		return Promise.resolve(idle.pop());
	return new Promise((resolve) => waiting.push(resolve));
}

function giveBack(sequence) {
	const next = waiting.shift();
	if (next)
		next(sequence);
	else
		idle.push(sequence);
}

// The next token of a generation, computed while no other one is.
let computing = Promise.resolve();
function nextAlone(tokens) {
	const step = computing.then(() => tokens.next());
	computing = step.catch(() => {});
	return step;
}

class Refusal extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

function textOf(content) {
	if (typeof content === "string")
		return content;
	if (Array.isArray(content))
		return content.map((part) => part.text ?? "").join("");
	return "";
}

// ChatML, the language the model was trained on. Gives the tokens, and whether
// they end in a beginning of the answer.
function readPrompt({messages, continue_final_message, add_generation_prompt}) {
	if (!Array.isArray(messages) || messages.length === 0)
		throw new Refusal(400, "messages: a list with at least one message is needed");
	const all = messages[0].role === "system"
		? [...messages] : [{role: "system", content: DEFAULT_SYSTEM}, ...messages];
	const continues = all.at(-1).role === "assistant";
	if (continue_final_message && (!continues || add_generation_prompt !== false))
		throw new Refusal(400, "continue_final_message: needs an assistant's message at the end, " +
			"and add_generation_prompt false");
	const begun = continues ? textOf(all.pop().content) : "";
	const text = all
		.map(({role, content}) => `<|im_start|>${role}\n${textOf(content)}<|im_end|>\n`)
		.join("");
	const tokens = model.tokenize(`${text}<|im_start|>assistant\n${begun}`, true);
	if (tokens.length >= CONTEXT_TOKENS / 2)
		throw new Refusal(400, `the prompt is ${tokens.length} tokens, too long for this server`);
	return {tokens, continues};
}

// Yields pieces of text that are whole characters; returns why it ended.
async function* generate(sequence, prompt, request, usage, gone) {
	const limit = Math.min(request.max_completion_tokens ?? request.max_tokens ?? DEFAULT_MAX_TOKENS,
		CONTEXT_TOKENS - prompt.length - 1);
	const pending = [];
	const told = prompt.slice(-8);
	await sequence.clearHistory();
	const tokens = sequence.evaluate(prompt, {
		temperature: request.temperature ?? 1, seed: request.seed,
	});
	try {
		let step;
		while (!(step = await nextAlone(tokens)).done) {
			if (gone.aborted)
				return "cancelled";
			usage.completion_tokens++;
			stats.tokens++;
			pending.push(step.value);
			const text = model.detokenize(pending, false, told.slice(-8));
			if (!text.endsWith("\uFFFD")) {
				told.push(...pending.splice(0));
				yield text;
			}
			if (usage.completion_tokens >= limit)
				return "length";
		}
		return "stop";
	} finally {
		await tokens.return();
	}
}

function head(request, object) {
	return {
		id: `chatcmpl-${Math.random().toString(36).slice(2)}`, object,
		created: Math.floor(Date.now() / 1000), model: request.model,
	};
}

function sendJson(response, status, value) {
	const body = JSON.stringify(value);
	response.writeHead(status, {
		"content-type": "application/json", "content-length": Buffer.byteLength(body),
	});
	response.end(body);
}

async function answerStream(response, request, pieces, usage) {
	const common = head(request, "chat.completion.chunk");
	const send = (delta, finish_reason = null) => response.write(`data: ${JSON.stringify({
		...common, choices: [{index: 0, delta, finish_reason}]})}\n\n`);
	response.writeHead(200, {"content-type": "text/event-stream", "cache-control": "no-cache"});
	send({role: "assistant", content: ""});
	let step;
	while (!(step = await pieces.next()).done)
		send({content: step.value});
	send({}, step.value);
	if (request.stream_options?.include_usage)
		response.write(`data: ${JSON.stringify({...common, choices: [], usage: total(usage)})}\n\n`);
	response.end("data: [DONE]\n\n");
}

async function answerWhole(response, request, pieces, usage) {
	let content = "";
	let step;
	while (!(step = await pieces.next()).done)
		content += step.value;
	sendJson(response, 200, {
		...head(request, "chat.completion"),
		choices: [{index: 0, message: {role: "assistant", content}, finish_reason: step.value}],
		usage: total(usage),
	});
}

function total(usage) {
	return {...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens};
}

async function readBody(incoming) {
	const parts = [];
	let size = 0;
	for await (const part of incoming) {
		size += part.length;
		if (size > MAX_BODY)
			throw new Refusal(413, "the request is too large for this server");
		parts.push(part);
	}
	try {
		return JSON.parse(Buffer.concat(parts).toString("utf8"));
	} catch {
		throw new Refusal(400, "the request is not JSON");
	}
}

async function chat(incoming, response) {
	const request = await readBody(incoming);
	const {tokens: prompt, continues} = readPrompt(request);
	const usage = {prompt_tokens: prompt.length, completion_tokens: 0};
	const gone = {aborted: false};
	response.on("close", () => { gone.aborted = !response.writableFinished; });
	const sequence = await takeSequence();
	stats.running++;
	stats.continued += continues ? 1 : 0;
	try {
		if (gone.aborted)
			return;
		const pieces = generate(sequence, prompt, request, usage, gone);
		if (request.stream)
			await answerStream(response, request, pieces, usage);
		else
			await answerWhole(response, request, pieces, usage);
	} finally {
		stats.running--;
		stats[gone.aborted ? "cancelled" : "finished"]++;
		giveBack(sequence);
	}
}

async function serve(incoming, response) {
	const path = new URL(incoming.url, "http://localhost").pathname;
	if (incoming.method === "GET" && path === "/health")
		return sendJson(response, 200, {status: "ok"});
	if (incoming.method === "GET" && path === "/stats")
		return sendJson(response, 200, stats);
	if (incoming.method === "GET" && path === "/v1/models")
		return sendJson(response, 200, {
			object: "list", data: [{id: options.name, object: "model", owned_by: "llama.cpp"}]});
	if (incoming.method === "POST" && path === "/v1/chat/completions")
		return chat(incoming, response);
	throw new Refusal(404, `no ${incoming.method} ${path} here`);
}

const server = http.createServer((incoming, response) => {
	serve(incoming, response).catch((error) => {
		if (response.headersSent)
			return response.destroy();
		sendJson(response, error.status ?? 500, {
			error: {message: error.message, type: error.status ? "invalid_request_error" : "server_error"}});
	});
});
server.keepAliveTimeout = 75_000;
server.listen(Number(options.port), "127.0.0.1", () => console.log(`${options.name} is ready`));
