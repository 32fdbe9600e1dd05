// One case of the Anthropic Node SDK, unmodified: node anthropic.mjs CASE MODEL
// PROXY and ORACLE are base URLs without /v1; the oracle says what the mocks must say.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: process.env.PROXY, apiKey: 'a-client-key' });
const oracle = new Anthropic({ baseURL: process.env.ORACLE, apiKey: 'x' });
const model = process.argv[3];
const say = (content) => [{ role: 'user', content }];
const ask = (content, more = {}) => ({ model, max_tokens: 2000, messages: say(content), ...more });
const faulty = (spec) => ({ headers: { 'x-mock-fault': spec } });
const text = (message) => message.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
const weather = {
	name: 'get_weather',
	input_schema: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
};

async function truth(prompt) {
	return text(await oracle.messages.create({ model: 'claude', max_tokens: 2000, messages: say(prompt) }));
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
	async message() {
		const got = await client.messages.create(ask('hello'));
		assert.equal(text(got), await truth('hello'));
		assert.equal(got.stop_reason, 'end_turn');
		assert.ok(got._request_id);
	},
	async stream() {
		const stream = client.messages.stream(ask('a story'));
		let told = '';
		stream.on('text', (piece) => { told += piece; });
		const final = await stream.finalMessage();
		assert.equal(told, await truth('a story'));
		assert.equal(text(final), told);
		assert.equal(final.usage.output_tokens, 24);
	},
	async events() {
		const kinds = [];
		for await (const event of await client.messages.create({ ...ask('events'), stream: true }))
			if (event.type !== 'content_block_delta')
				kinds.push(event.type);
		assert.deepEqual(kinds, ['message_start', 'content_block_start', 'content_block_stop', 'message_delta',
			'message_stop']);
	},
	async tools() {
		const messages = say('the weather in Zürich');
		const first = await client.messages.stream({ model, max_tokens: 2000, messages, tools: [weather] })
			.finalMessage();
		assert.equal(first.stop_reason, 'tool_use');
		const call = first.content.find((b) => b.type === 'tool_use');
		assert.ok('location' in call.input);
		messages.push({ role: 'assistant', content: first.content },
			{ role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: '21' }] });
		assert.ok(text(await client.messages.create({ model, max_tokens: 2000, messages, tools: [weather] })));
	},
	async thinking() {
		const got = await client.messages.stream(ask('think', { thinking: { type: 'enabled', budget_tokens: 1500 } }),
			faulty('reasoning 3')).finalMessage();
		assert.deepEqual(got.content.map((b) => b.type), ['thinking', 'text']);
		assert.ok(got.content[0].signature);
	},
	async schema() {
		const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'],
			additionalProperties: false };
		const got = await client.messages.create(ask('structured', {
			output_config: { format: { type: 'json_schema', schema } } }));
		assert.ok(Number.isInteger(JSON.parse(text(got)).a));
	},
	async errors() {
		const wanted = [['status 400', Anthropic.BadRequestError], ['overloaded', Anthropic.InternalServerError],
			['status 429 retry-after 3000', Anthropic.RateLimitError]];
		for (const [spec, kind] of wanted) {
			const error = await failure(client.messages.create(ask('hello'), faulty(spec)));
			assert.ok(error instanceof kind, spec + ' gave ' + error);
			assert.equal(error.error.type, 'error');
		}
	},
	async error_in_mid_stream() {
		const error = await failure(client.messages.stream(ask('a story'), faulty('error after 3 overloaded'))
			.finalMessage());
		assert.ok(error instanceof Anthropic.APIError, String(error));
	},
	async models() {
		const names = [];
		for await (const one of client.models.list())
			names.push(one.id);
		assert.ok(names.includes(model));
	},
	async abort() {
		const stream = client.messages.stream(ask('long'), faulty('gap 50ms tokens 2000'));
		await new Promise((resolve) => stream.once('text', resolve));
		stream.abort();
		await failure(stream.finalMessage());
	},
};

await cases[process.argv[2]]();
