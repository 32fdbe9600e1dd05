// One case of the Google Gen AI Node SDK, unmodified: node gemini.mjs CASE MODEL
// PROXY and ORACLE are base URLs without a path; the oracle says what the mocks must say.
import assert from 'node:assert/strict';
import { GoogleGenAI, FunctionCallingConfigMode } from '@google/genai';

const client = new GoogleGenAI({ apiKey: 'a-client-key', httpOptions: { baseUrl: process.env.PROXY } });
const oracle = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: process.env.ORACLE } });
const model = process.argv[3];
const ask = (contents, config = {}) => client.models.generateContent({ model, contents, config });
const stream = (contents, config = {}) => client.models.generateContentStream({ model, contents, config });
const weather = {
	name: 'get_weather',
	parametersJsonSchema: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
};
const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

async function truth(prompt) {
	return (await oracle.models.generateContent({ model: 'gemini-2.5-flash', contents: prompt })).text;
}

async function failure(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	assert.fail('it did not fail');
}

async function collect(chunks) {
	const got = { text: '', parts: [], finish: null, usage: null };

	for await (const chunk of chunks) {
		const candidate = chunk.candidates?.[0];
		for (const part of candidate?.content?.parts ?? []) {
			got.parts.push(part);
			if (part.text && !part.thought)
				got.text += part.text;
		}
		got.finish = candidate?.finishReason ?? got.finish;
		got.usage = chunk.usageMetadata ?? got.usage;
	}
	return got;
}

const cases = {
	async answer() {
		const got = await ask('hello');
		assert.equal(got.text, await truth('hello'));
		assert.equal(got.candidates[0].finishReason, 'STOP');
		assert.equal(got.usageMetadata.candidatesTokenCount, 24);
	},
	async stream() {
		const got = await collect(await stream('a story'));
		assert.equal(got.text, await truth('a story'));
		assert.equal(got.finish, 'STOP');
		assert.equal(got.usage.candidatesTokenCount, 24);
	},
	async chat() {
		const chat = client.chats.create({ model });
		assert.ok((await chat.sendMessage({ message: 'hello' })).text);
		assert.ok((await chat.sendMessage({ message: 'and then?' })).text);
		assert.equal(chat.getHistory().length, 4);
	},
	async tools() {
		const question = { role: 'user', parts: [{ text: 'the weather, please' }] };
		const config = {
			tools: [{ functionDeclarations: [weather] }],
			toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
		};
		const got = await collect(await stream([question], config));
		const calls = got.parts.filter((p) => p.functionCall);
		assert.equal(calls.length, 1);
		const call = calls[0].functionCall;
		assert.equal(call.name, 'get_weather');
		assert.equal(typeof call.args.location, 'string');
		const last = await ask([question, { role: 'model', parts: calls }, { role: 'user', parts: [
			{ functionResponse: { id: call.id, name: call.name, response: { output: 'rain' } } }] }],
			{ tools: [{ functionDeclarations: [weather] }] });
		assert.ok(last.text);
	},
	async parallel() {
		const got = await collect(await stream('the weather, and the time',
			{ tools: [{ functionDeclarations: [weather] }] }));
		const names = got.parts.filter((p) => p.functionCall).map((p) => p.functionCall.name);
		assert.deepEqual(names, ['get_weather', 'get_time']);
	},
	async picture() {
		const got = await ask([{ role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data: pixel } },
			{ text: 'what is it?' }] }]);
		assert.ok(got.text);
	},
	async schema() {
		const got = await ask('answer', { responseMimeType: 'application/json', responseJsonSchema: {
			type: 'object', properties: { sure: { type: 'boolean' } }, required: ['sure'] } });
		assert.equal(typeof JSON.parse(got.text).sure, 'boolean');
	},
	async thinking() {
		const got = await collect(await stream('think', {
			maxOutputTokens: 4000, thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } }));
		const thoughts = got.parts.filter((p) => p.thought).map((p) => p.text ?? '').join('');
		assert.equal(thoughts, 'thought 0 thought 1 thought 2 ');
		assert.ok(got.text);
	},
	async stop() {
		assert.equal((await ask('echo: one two three four', { stopSequences: ['three'] })).text, 'one two ');
	},
	async errors() {
		for (const status of [400, 503, 429]) {
			const error = await failure(ask('hello'));
			assert.equal(error.name, 'ApiError');
			assert.equal(error.status, status);
		}
	},
	async error_in_mid_stream() {
		const error = await failure(collect(await stream('a story')));
		assert.match(String(error.message), /UNAVAILABLE|overloaded|capacity/i);
	},
	async abort() {
		const controller = new AbortController();
		const chunks = await stream('a story', { abortSignal: controller.signal, maxOutputTokens: 4000 });
		await failure((async () => {
			for await (const chunk of chunks) {
				assert.ok(chunk);
				controller.abort();
			}
		})());
	},
};

await cases[process.argv[2]]();
