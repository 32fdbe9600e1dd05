// One case of AWS's own SDK, unmodified, against the mock: node aws.mjs CASE
// MOCK is its URL, KEYS what requests are signed with, TRUTH what it says to "hello".
import assert from 'node:assert/strict';
import {
	BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, CountTokensCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';

const [accessKeyId, secretAccessKey, sessionToken] = process.env.KEYS.split(':');
const modelId = 'us.anthropic.claude-sonnet-4-6-v1:0';
const messages = [{ role: 'user', content: [{ text: 'hello' }] }];
const toolConfig = {
	tools: [{
		toolSpec: {
			name: 'get_weather',
			inputSchema: { json: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] } },
		},
	}],
};

function connect(credentials = { accessKeyId, secretAccessKey, sessionToken }) {
	return new BedrockRuntimeClient({
		region: 'eu-central-1', endpoint: process.env.MOCK, credentials, maxAttempts: 1,
		requestHandler: new NodeHttpHandler(),    // the mock speaks HTTP/1.1
	});
}

const client = connect();
const behave = (spec) => fetch(`${process.env.MOCK}/mock/behaviour?next`, { method: 'POST', body: spec });

async function gather(input) {
	const got = { text: '', thoughts: '', calls: [], kinds: [] };
	const answer = await client.send(new ConverseStreamCommand({ modelId, messages, ...input }));
	for await (const event of answer.stream) {
		const [kind] = Object.keys(event), delta = event.contentBlockDelta?.delta;
		got.kinds.push(kind);
		got.text += delta?.text ?? '';
		got.thoughts += delta?.reasoningContent?.text ?? '';
		if (event.contentBlockStart?.start?.toolUse)
			got.calls.push({ ...event.contentBlockStart.start.toolUse, input: '' });
		if (delta?.toolUse)
			got.calls.at(-1).input += delta.toolUse.input;
		got.stop = event.messageStop?.stopReason ?? got.stop;
		got.usage = event.metadata?.usage ?? got.usage;
	}
	return got;
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
	async converse() {
		const got = await client.send(new ConverseCommand({ modelId, messages }));
		assert.equal(got.output.message.content[0].text, process.env.TRUTH);
		assert.equal(got.stopReason, 'end_turn');
		assert.ok(got.usage.totalTokens > 0);
	},
	async stream() {
		const got = await gather({});
		assert.equal(got.text, process.env.TRUTH);
		assert.equal(got.stop, 'end_turn');
		assert.equal(got.kinds[0], 'messageStart');
		assert.equal(got.kinds.at(-1), 'metadata');
		assert.ok(got.usage.outputTokens > 0);
	},
	async tools() {
		const asked = [{ role: 'user', content: [{ text: 'How is the weather?' }] }];
		const got = await gather({ messages: asked, toolConfig });
		assert.equal(got.stop, 'tool_use');
		assert.equal(got.calls[0].name, 'get_weather');
		assert.ok('location' in JSON.parse(got.calls[0].input));
		const whole = await client.send(new ConverseCommand({ modelId, messages: asked, toolConfig }));
		const use = whole.output.message.content[0].toolUse;
		const end = await client.send(new ConverseCommand({
			modelId, toolConfig, messages: [...asked, whole.output.message, {
				role: 'user', content: [{ toolResult: { toolUseId: use.toolUseId, content: [{ text: 'Sunny' }] } }],
			}],
		}));
		assert.equal(end.stopReason, 'end_turn');
	},
	async reasoning() {
		const got = await gather({ additionalModelRequestFields: { thinking: { type: 'adaptive' } } });
		assert.match(got.thoughts, /^thought 0 /);
	},
	async count() {
		const got = await client.send(new CountTokensCommand({ modelId, input: { converse: { messages } } }));
		assert.ok(got.inputTokens > 0);
	},
	async exceptions() {
		await behave('error first status 429');
		assert.equal((await failure(gather({}))).name, 'ThrottlingException');
		await behave('error after 3 status 503');
		assert.equal((await failure(gather({}))).name, 'ServiceUnavailableException');
		await behave('bad-sum after 2');
		await failure(gather({}));
	},
	async errors() {
		for (const [status, name] of [[400, 'ValidationException'], [403, 'AccessDeniedException'],
			[404, 'ResourceNotFoundException'], [429, 'ThrottlingException'],
			[500, 'InternalServerException'], [503, 'ServiceUnavailableException']]) {
			await behave(`status ${status}`);
			const error = await failure(client.send(new ConverseCommand({ modelId, messages })));
			assert.equal(error.name, name);
			assert.equal(error.$metadata.httpStatusCode, status);
		}
	},
	async signature() {
		const wrong = connect({ accessKeyId, secretAccessKey: 'wrong' });
		const error = await failure(wrong.send(new ConverseCommand({ modelId, messages })));
		assert.equal(error.name, 'InvalidSignatureException');
	},
	async session() {
		await client.send(new ConverseCommand({ modelId: 'arn:aws:bedrock:eu-central-1:1:inference-profile/a.b:0', messages }));
		const without = connect({ accessKeyId, secretAccessKey });
		const error = await failure(without.send(new ConverseCommand({ modelId, messages })));
		assert.equal(error.name, 'UnrecognizedClientException');
	},
};

await cases[process.argv[2]]();
client.destroy();
