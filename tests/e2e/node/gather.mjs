// One chat of the OpenAI Node SDK, unmodified and without retries of its own, streamed or whole:
// node gather.mjs MODEL PROMPT stream|whole
// PROXY is the base URL. Prints what came as JSON.
import OpenAI from 'openai';

const [model, content, how] = process.argv.slice(2);
const client = new OpenAI({ baseURL: process.env.PROXY, apiKey: 'k', maxRetries: 0 });
const got = { text: '', finish: null, ids: [], error: null };

function take(choice, text) {
	got.text += text ?? '';
	got.finish = choice?.finish_reason ?? got.finish;
}

try {
	const answer = await client.chat.completions.create(
		{ model, messages: [{ role: 'user', content }], stream: how === 'stream' });
	if (how === 'stream') {
		for await (const chunk of answer) {
			if (!got.ids.includes(chunk.id))
				got.ids.push(chunk.id);
			take(chunk.choices[0], chunk.choices[0]?.delta?.content);
		}
	} else {
		got.ids.push(answer.id);
		take(answer.choices[0], answer.choices[0].message.content);
	}
} catch (error) {
	got.error = { name: error.constructor.name, status: error.status ?? null, message: error.message };
}
console.log(JSON.stringify(got));
