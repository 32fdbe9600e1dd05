// A browser that does what it is told: one JSON command a line in, one JSON
// answer a line out. Commands: goto, size, scheme, wait, eval, click, fill,
// press, focus, shot, problems, forget.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.BROWSER_HOME, "package.json"))("playwright-core");
const profile = mkdtempSync(join(tmpdir(), "backstay-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  viewport: { width: 1280, height: 900 },
});
const page = context.pages()[0] || (await context.newPage());
const problems = [];
page.on("pageerror", (e) => problems.push(String(e)));
page.on("console", (m) => { if (m.type() === "error") problems.push(m.text()); });

const PATIENCE_MS = 30000;
const commands = {
  goto: ({ url }) => page.goto(url, { waitUntil: "domcontentloaded" }),
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  scheme: ({ scheme, motion }) => page.emulateMedia({ colorScheme: scheme, reducedMotion: motion || "no-preference" }),
  // Not waitForFunction(): that needs eval in the page, which its policy forbids.
  wait: async ({ what }) => {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((r) => setTimeout(r, 50)))
      if (await page.evaluate(what)) return true;
    throw new Error("waited in vain for " + what);
  },
  eval: ({ what }) => page.evaluate(what),
  click: ({ what }) => page.click(what, { timeout: PATIENCE_MS }),
  fill: ({ what, text }) => page.fill(what, text, { timeout: PATIENCE_MS }),
  press: ({ keys }) => page.keyboard.press(keys),
  focus: ({ what }) => page.focus(what),
  shot: ({ path, full }) => page.screenshot({ path, fullPage: !!full, scale: "css" }).then(() => path),
  problems: () => problems,
  forget: () => { problems.length = 0; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    const value = await commands[command.do](command);
    answer = { value: typeof value === "object" && !Array.isArray(value) ? true : value };
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await context.close();
rmSync(profile, { recursive: true, force: true });
