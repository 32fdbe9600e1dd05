// The Node clients of the matrix, unmodified: node matrix.mjs < jobs > results, both
// JSON. A job: {client, model, then, ask, spec, results}; an ask is explained in
// matrix_clients.py. PROXY and MOCK are base URLs without a path.
import fs from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { Output, generateText, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';

const { PROXY, MOCK } = process.env;
const MAX_TOKENS = 3000;
globalThis.AI_SDK_LOG_WARNINGS = false;      // stdout is for the results
const { jobs, pixel, url } = JSON.parse(fs.readFileSync(0, 'utf8'));
const nothing = () => ({ text: '', thoughts: '', calls: [], finish: null, native: null, error: null });
const dataUrl = (kind) => (kind === 'url' ? url : 'data:image/png;base64,' + pixel);
const known = (names, reason) => names[reason] ?? reason;
const pick = (ask, ...names) => Object.fromEntries(names.filter((n) => n in ask).map((n) => [n, ask[n]]));

// Every event, or the first with something in it where the client is to leave.
async function takeAll(stream, ask, got, take) {
	for await (const event of stream) {
		take(event);
		if (ask.cancel && got.text)
			return true;
	}
	return false;
}

// ---- OpenAI ------------------------------------------------------------------------

const openai = new OpenAI({ baseURL: PROXY + '/v1', apiKey: 'k', maxRetries: 0 });

function chatMessages(ask) {
	const system = ask.system ? [{ role: 'system', content: ask.system }] : [];
	return system.concat(ask.turns.flatMap((turn) => {
		if (turn.native)
			return [turn.native];
		if (turn.results)
			return turn.calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: turn.results[c.name] }));
		return [{ role: 'user', content: turn.image ? [{ type: 'text', text: turn.user },
			{ type: 'image_url', image_url: { url: dataUrl(turn.image) } }] : turn.user }];
	}));
}

async function openaiChat(model, ask) {
	const args = { model, messages: chatMessages(ask), ...pick(ask, 'stop', 'seed') };
	if (ask.tools)
		args.tools = ask.tools.map((t) => ({ type: 'function',
			function: { name: t.name, description: t.description, parameters: t.schema } }));
	if (ask.schema)
		args.response_format = { type: 'json_schema',
			json_schema: { name: 'answer', schema: ask.schema, strict: true } };
	if (ask.think)
		args.reasoning_effort = 'low';
	const got = nothing();
	let choice;
	if (!ask.stream) {
		choice = (await openai.chat.completions.create(args)).choices[0];
	} else {
		const stream = openai.chat.completions.stream(args);
		const left = await takeAll(stream, ask, got, (chunk) => {
			got.text += chunk.choices[0]?.delta?.content ?? '';
			got.thoughts += chunk.choices[0]?.delta?.reasoning_content ?? '';
		});
		if (left) {
			stream.abort();
			return got;
		}
		choice = (await stream.finalChatCompletion()).choices[0];
	}
	const { role, content, tool_calls } = choice.message;
	got.text = content ?? '';
	got.thoughts = choice.message.reasoning_content ?? got.thoughts;
	got.finish = known({ tool_calls: 'calls' }, choice.finish_reason);
	got.calls = (tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name,
		arguments: JSON.parse(c.function.arguments) }));
	got.native = tool_calls?.length ? { role, content, tool_calls: tool_calls.map((c) => ({ id: c.id,
		type: 'function', function: { name: c.function.name, arguments: c.function.arguments } })) }
		: { role, content };
	return got;
}

async function openaiResponses(model, ask) {
	const input = ask.turns.flatMap((turn) => {
		if (turn.native)
			return turn.native;
		if (turn.results)
			return turn.calls.map((c) => ({ type: 'function_call_output', call_id: c.id,
				output: turn.results[c.name] }));
		return [{ role: 'user', content: turn.image ? [{ type: 'input_text', text: turn.user },
			{ type: 'input_image', image_url: dataUrl(turn.image), detail: 'auto' }] : turn.user }];
	});
	const args = { model, input, store: false };
	if (ask.system)
		args.instructions = ask.system;
	if (ask.tools)
		args.tools = ask.tools.map((t) => ({ type: 'function', name: t.name, description: t.description,
			parameters: t.schema, strict: false }));
	if (ask.schema)
		args.text = { format: { type: 'json_schema', name: 'answer', schema: ask.schema, strict: true } };
	if (ask.think)
		args.reasoning = { effort: 'low', summary: 'auto' };
	const got = nothing();
	let answer;
	if (!ask.stream) {
		answer = await openai.responses.create(args);
	} else {
		const stream = openai.responses.stream(args);
		const left = await takeAll(stream, ask, got, (event) => {
			if (event.type === 'response.output_text.delta')
				got.text += event.delta;
		});
		if (left) {
			stream.abort();
			return got;
		}
		answer = await stream.finalResponse();
	}
	got.text = answer.output_text;
	got.native = answer.output.map(({ parsed_arguments, ...item }) => item);
	for (const item of answer.output)
		if (item.type === 'function_call')
			got.calls.push({ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) });
		else if (item.type === 'reasoning')
			got.thoughts += [...item.summary, ...(item.content ?? [])].map((p) => p.text).join('');
	got.finish = got.calls.length ? 'calls' : known({ completed: 'stop' }, answer.status);
	return got;
}

// ---- Anthropic ----------------------------------------------------------------------

const claude = new Anthropic({ baseURL: PROXY, apiKey: 'k', maxRetries: 0 });

async function anthropic(model, ask) {
	const messages = ask.turns.map((turn) => {
		if (turn.native)
			return { role: 'assistant', content: turn.native };
		if (turn.results)
			return { role: 'user', content: turn.calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id,
				content: turn.results[c.name] })) };
		const source = turn.image === 'url' ? { type: 'url', url }
			: { type: 'base64', media_type: 'image/png', data: pixel };
		return { role: 'user', content: turn.image ? [{ type: 'image', source }, { type: 'text', text: turn.user }]
			: turn.user };
	});
	const args = { model, max_tokens: MAX_TOKENS, messages, ...pick(ask, 'system', 'top_k') };
	if (ask.tools)
		args.tools = ask.tools.map((t) => ({ name: t.name, description: t.description, input_schema: t.schema }));
	if (ask.schema)
		args.output_config = { format: { type: 'json_schema', schema: ask.schema } };
	if (ask.stop)
		args.stop_sequences = ask.stop;
	if (ask.think)
		args.thinking = { type: 'enabled', budget_tokens: 1500 };
	const got = nothing();
	let message;
	if (!ask.stream) {
		message = await claude.messages.create(args);
	} else {
		const stream = claude.messages.stream(args);
		const left = await takeAll(stream, ask, got, (event) => {
			if (event.type === 'content_block_delta')
				got.text += event.delta.text ?? '';
		});
		if (left) {
			stream.abort();
			return got;
		}
		message = await stream.finalMessage();
	}
	const said = (type, member) => message.content.filter((b) => b.type === type).map((b) => b[member]).join('');
	got.text = said('text', 'text');
	got.thoughts = said('thinking', 'thinking');
	got.calls = message.content.filter((b) => b.type === 'tool_use')
		.map((b) => ({ id: b.id, name: b.name, arguments: b.input }));
	got.finish = known({ tool_use: 'calls', end_turn: 'stop', stop_sequence: 'stop' }, message.stop_reason);
	got.native = message.content;
	return got;
}

// ---- Google --------------------------------------------------------------------------

const google = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: PROXY } });

async function genai(model, ask) {
	const contents = ask.turns.map((turn) => {
		if (turn.native)
			return turn.native;
		if (turn.results)
			return { role: 'user', parts: turn.calls.map((c) => ({ functionResponse: { id: c.id, name: c.name,
				response: { result: turn.results[c.name] } } })) };
		const parts = [{ text: turn.user }];
		if (turn.image === 'url')
			parts.push({ fileData: { fileUri: url, mimeType: 'image/png' } });
		else if (turn.image)
			parts.push({ inlineData: { data: pixel, mimeType: 'image/png' } });
		return { role: 'user', parts };
	});
	const config = pick(ask, 'seed');
	if (ask.top_k)
		config.topK = ask.top_k;
	if (ask.system)
		config.systemInstruction = ask.system;
	if (ask.tools)
		config.tools = [{ functionDeclarations: ask.tools.map((t) => ({ name: t.name,
			description: t.description, parametersJsonSchema: t.schema })) }];
	if (ask.schema)
		Object.assign(config, { responseMimeType: 'application/json', responseJsonSchema: ask.schema });
	if (ask.stop)
		config.stopSequences = ask.stop;
	if (ask.think)
		config.thinkingConfig = { thinkingBudget: 1500, includeThoughts: true };
	const got = nothing();
	const parts = [];
	const take = (answer) => {
		const candidate = answer.candidates[0];
		for (const part of candidate.content?.parts ?? []) {
			parts.push(part);
			if (part.functionCall)
				got.calls.push({ id: part.functionCall.id, name: part.functionCall.name,
					arguments: part.functionCall.args ?? {} });
			else if (part.text)
				got[part.thought ? 'thoughts' : 'text'] += part.text;
		}
		if (candidate.finishReason)
			got.finish = got.calls.length ? 'calls' : candidate.finishReason.toLowerCase();
	};
	if (!ask.stream) {
		take(await google.models.generateContent({ model, contents, config }));
	} else {
		const leave = new AbortController();
		config.abortSignal = leave.signal;
		const stream = await google.models.generateContentStream({ model, contents, config });
		if (await takeAll(stream, ask, got, take))
			leave.abort();
	}
	got.native = { role: 'model', parts };
	return got;
}

// ---- Vercel's AI SDK -------------------------------------------------------------------

const vercelOpenAI = createOpenAI({ baseURL: PROXY + '/v1', apiKey: 'k' });
const vercelAnthropic = createAnthropic({ baseURL: PROXY + '/v1', apiKey: 'k' });

function vercelMessages(ask) {
	return ask.turns.flatMap((turn) => {
		if (turn.native)
			return turn.native;
		if (turn.results)
			return [{ role: 'tool', content: turn.calls.map((c) => ({ type: 'tool-result', toolCallId: c.id,
				toolName: c.name, output: { type: 'text', value: turn.results[c.name] } })) }];
		return [{ role: 'user', content: turn.image ? [{ type: 'text', text: turn.user },
			{ type: 'image', image: turn.image === 'url' ? new URL(url) : pixel, mediaType: 'image/png' }]
			: turn.user }];
	});
}

async function vercel(model, providerOptions, ask) {
	const args = { model, messages: vercelMessages(ask), maxRetries: 0, maxOutputTokens: MAX_TOKENS,
		providerOptions, ...pick(ask, 'system', 'seed') };
	if (ask.top_k)
		args.topK = ask.top_k;
	if (ask.stop)
		args.stopSequences = ask.stop;
	if (ask.tools)
		args.tools = Object.fromEntries(ask.tools.map((t) => [t.name, tool({ description: t.description,
			inputSchema: jsonSchema(t.schema) })]));
	if (ask.schema)
		args.output = Output.object({ schema: jsonSchema(ask.schema) });
	const got = nothing();
	let result;
	if (!ask.stream) {
		result = await generateText(args);
	} else {
		const leave = new AbortController();
		result = streamText({ ...args, abortSignal: leave.signal, onError() {} });
		const left = await takeAll(result.fullStream, ask, got, (part) => {
			if (part.type === 'error')
				throw part.error;
			if (part.type === 'text-delta')
				got.text += part.text;
		});
		if (left) {
			leave.abort();
			return got;
		}
	}
	got.text = await result.text;
	got.thoughts = await result.reasoningText ?? '';
	got.calls = (await result.toolCalls).map((c) => ({ id: c.toolCallId, name: c.toolName, arguments: c.input }));
	got.finish = known({ 'tool-calls': 'calls' }, await result.finishReason);
	got.native = (await result.response).messages;
	return got;
}

const openaiOptions = (ask) => ({ openai: { store: false,
	...(ask.think && { reasoningEffort: 'low', reasoningSummary: 'auto', forceReasoning: true }) } });
const clients = {
	openai_chat: openaiChat,
	openai_responses: openaiResponses,
	anthropic,
	genai,
	ai_openai_chat: (model, ask) => vercel(vercelOpenAI.chat(model), openaiOptions(ask), ask),
	ai_openai_responses: (model, ask) => vercel(vercelOpenAI.responses(model), openaiOptions(ask), ask),
	ai_anthropic: (model, ask) => vercel(vercelAnthropic(model), { anthropic: {
		structuredOutputMode: 'outputFormat',
		...(ask.think && { thinking: { type: 'enabled', budgetTokens: 1500 } }) } }, ask),
};

// ---- the jobs ----------------------------------------------------------------------------

async function tryTo(client, model, ask) {
	try {
		return await clients[client](model, ask);
	} catch (error) {
		const status = error.status ?? error.statusCode ?? null;
		const headers = error.responseHeaders ?? (error.headers && Object.fromEntries(error.headers)) ?? {};
		return { ...nothing(), error: { kinds: [error.constructor.name, error.name], status,
			message: String(error.message), retry_after: headers['retry-after'] ?? null } };
	}
}

async function cancelled() {
	return (await (await fetch(MOCK + '/mock/stats')).json()).all.cancelled;
}

async function run(job) {
	await fetch(MOCK + '/mock/behaviour', { method: 'POST', body: job.spec });
	const before = job.ask.cancel ? await cancelled() : 0;
	const got = await tryTo(job.client, job.model, job.ask);
	for (let i = 0; job.ask.cancel && !got.error && !got.cancelled && i < 1000; i++) {
		got.cancelled = await cancelled() > before;
		if (!got.cancelled)
			await new Promise((done) => setTimeout(done, 5));
	}
	got.sent = await (await fetch(MOCK + '/mock/last')).text();
	if (job.results && !got.error)
		got.next = await tryTo(job.client, job.then, { ...job.ask, turns: [...job.ask.turns,
			{ native: got.native }, { results: job.results, calls: got.calls }] });
	return got;
}

const all = [];
for (const job of jobs)
	all.push(await run(job));
process.stdout.write(JSON.stringify(all));
