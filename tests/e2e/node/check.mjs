// One case of the OpenAI Node SDK, unmodified: node check.mjs CASE
// PROXY and ORACLE are base URLs; the oracle says what the mocks must say.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import OpenAI, { toFile } from 'openai';

globalThis.File ??= File;             // node 18; uploads need it
const client = new OpenAI({ baseURL: process.env.PROXY, apiKey: 'a-client-key' });
const oracle = new OpenAI({ baseURL: process.env.ORACLE, apiKey: 'x' });
const say = (content) => [{ role: 'user', content }];
const faulty = (spec) => ({ headers: { 'x-mock-fault': spec } });
const weather = {
	type: 'function',
	function: {
		name: 'get_weather',
		parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
	},
};

async function truth(prompt) {
	const got = await oracle.chat.completions.create({ model: 'chat', messages: say(prompt) });
	return got.choices[0].message.content;
}

async function gather(stream) {
	let text = '', finish = null;
	for await (const chunk of stream) {
		text += chunk.choices[0]?.delta?.content ?? '';
		finish = chunk.choices[0]?.finish_reason ?? finish;
	}
	return { text, finish };
}

async function failure(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	assert.fail('it did not fail');
}

const cases = {
	async chat() {
		const got = await client.chat.completions.create({ model: 'chat', messages: say('hello') });
		assert.equal(got.choices[0].message.content, await truth('hello'));
		assert.equal(got.choices[0].finish_reason, 'stop');
	},
	async stream() {
		const got = await gather(await client.chat.completions.create(
			{ model: 'chat', messages: say('a story'), stream: true }));
		assert.deepEqual(got, { text: await truth('a story'), finish: 'stop' });
	},
	async stream_with_usage() {
		let usages = 0;
		for await (const chunk of await client.chat.completions.create(
			{ model: 'chat', messages: say('u'), stream: true, stream_options: { include_usage: true } }))
			usages += chunk.usage ? 1 : 0;
		assert.equal(usages, 1);
	},
	async stream_helper() {
		const runner = client.chat.completions.stream({ model: 'chat', messages: say('helper') });
		assert.equal(await runner.finalContent(), await truth('helper'));
	},
	async tools() {
		const messages = say('the weather in Zürich');
		const first = await client.chat.completions.create({ model: 'chat', messages, tools: [weather] });
		const call = first.choices[0].message.tool_calls[0];
		assert.equal(call.function.name, 'get_weather');
		assert.ok('location' in JSON.parse(call.function.arguments));
		messages.push(first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '21' });
		const second = await client.chat.completions.create({ model: 'chat', messages, tools: [weather] });
		assert.ok(second.choices[0].message.content);
	},
	async json_schema() {
		const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'],
			additionalProperties: false };
		const got = await client.chat.completions.parse({ model: 'chat', messages: say('structured'),
			response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } } });
		assert.ok(Number.isInteger(JSON.parse(got.choices[0].message.content).a));
	},
	async several_choices() {
		const got = await client.chat.completions.create({ model: 'chat', messages: say('3'), n: 3 });
		assert.deepEqual(got.choices.map((c) => c.index), [0, 1, 2]);
	},
	async embeddings() {
		const got = await client.embeddings.create({ model: 'embed', input: ['one', 'two'] });
		assert.equal(got.data.length, 2);
		assert.equal(typeof got.data[1].embedding[0], 'number');
	},
	async responses() {
		const got = await client.responses.create({ model: 'chat', input: 'Say something' });
		assert.equal(got.status, 'completed');
		assert.ok(got.output_text);
	},
	async responses_stream() {
		let text = '', final;
		for await (const event of await client.responses.create(
			{ model: 'chat', input: 'Say something', stream: true })) {
			if (event.type === 'response.output_text.delta')
				text += event.delta;
			if (event.type === 'response.completed')
				final = event.response;
		}
		assert.ok(text);
		assert.equal(final.output[0].content[0].text, text);
	},
	async models() {
		const names = [];
		for await (const model of client.models.list())
			names.push(model.id);
		assert.ok(names.includes('chat'));
		assert.equal((await client.models.retrieve('chat')).id, 'chat');
	},
	async transcription() {
		const got = await client.audio.transcriptions.create(
			{ model: 'chat', file: await toFile(Buffer.alloc(5000, 'RIFF'), 'speech.wav') });
		assert.match(got.text, /somebody speaks/);
	},
	async speech() {
		const got = await client.audio.speech.create({ model: 'chat', voice: 'alloy', input: 'Hello' });
		assert.equal(Buffer.from(await got.arrayBuffer()).subarray(0, 4).toString(), 'RIFF');
	},
	async not_found() {
		const error = await failure(client.chat.completions.create({ model: 'chatt', messages: say('x') }));
		assert.ok(error instanceof OpenAI.NotFoundError);
		assert.match(error.message, /Did you mean 'chat'/);
	},
	async bad_request() {
		const error = await failure(client.chat.completions.create({ model: 'chat', messages: say('x') },
			faulty('status 400 code odd_thing message "too odd"')));
		assert.ok(error instanceof OpenAI.BadRequestError);
		assert.equal(error.code, 'odd_thing');
		assert.match(error.message, /too odd/);
	},
	async server_error_is_tried_once() {
		const error = await failure(client.chat.completions.create({ model: 'chat', messages: say('x') },
			faulty('status 500')));
		assert.ok(error instanceof OpenAI.InternalServerError);
		assert.equal(error.headers.get('x-should-retry'), 'false');
	},
	async failover_is_unseen() {
		const { data, response } = await client.chat.completions.create({ model: 'chat', messages: say('x') },
			faulty('@alpha status 500; @bravo hang-up; @charlie ok')).withResponse();
		assert.equal(data.choices[0].message.content, await truth('x'));
		assert.match(response.headers.get('x-backstay-target'), /^charlie\//);
	},
	async broken_stream() {
		let text = '';
		const error = await failure((async () => {
			for await (const chunk of await client.chat.completions.create(
				{ model: 'chat', messages: say('x'), stream: true }, faulty('cut after 4')))
				text += chunk.choices[0]?.delta?.content ?? '';
		})());
		assert.ok(error instanceof OpenAI.APIError);
		assert.equal(error.code, 'stream_cut');
		assert.ok(text && (await truth('x')).startsWith(text));
	},
	async abort() {
		const stream = await client.chat.completions.create(
			{ model: 'only-alpha', messages: say('x'), stream: true }, faulty('gap 50ms tokens 5000'));
		for await (const chunk of stream) {
			assert.ok(chunk.id);
			break;
		}
	},
};

await cases[process.argv[2]]();
