/**
 * A headless Chromium that comes out of npm: unpacks the one in @sparticuz/chromium, once per package version, and says how to launch it.
 *
 * 1. Unpacking happens in a private folder that is renamed when complete: two runs at once, or one killed half-way, never
 *    leave a truncated browser behind (the package itself unpacks straight to its final name in the shared temp folder).
 * 2. The libraries a minimal machine lacks (nss, nspr, expat) are unpacked too and always put on LD_LIBRARY_PATH, so
 *    that a bare machine and a full one run the same browser. So are its fonts, and no others are looked for: the package's
 *    own fonts.conf names folders of AWS, and a browser without any font draws nothing and dies at a button.
 *
 * Not here: which tests run and how (playwright.config.ts).
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Of what `unpackInto` leaves behind: another layout is another folder. */
const LAYOUT = 2;

/** No sandbox: CI runs as root. The rest keeps the browser off every network but the server under test. */
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface ChromiumLaunch {
  readonly executablePath: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** The options for Playwright's `launch`; takes about 2 s the first time and nothing afterwards. */
export function chromiumLaunch(): ChromiumLaunch {
  const folder = join(root, "node_modules/.cache", `chromium-${packageVersion()}-${LAYOUT}`);
  if (!existsSync(folder)) unpackInto(folder);
  return {
    executablePath: join(folder, "chromium"),
    args: FLAGS,
    env: {
      ...definedEnvironment(),
      LD_LIBRARY_PATH: [join(folder, "al2023/lib"), process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":"),
      FONTCONFIG_PATH: join(folder, "fonts"),
    },
  };
}

/**
 * The package unpacks to `os.tmpdir()`, and the libraries only if it believes it runs on AWS: both are environment
 * variables, so a child process with its own environment does it.
 */
function unpackInto(folder: string): void {
  mkdirSync(dirname(folder), { recursive: true });
  const half = mkdtempSync(`${folder}.`);
  try {
    execFileSync(process.execPath, ["-e", `import("@sparticuz/chromium").then((it) => it.default.executablePath())`], {
      cwd: root,
      env: { ...process.env, TMPDIR: half, AWS_EXECUTION_ENV: "AWS_Lambda_nodejs20.x" },
    });
    writeFileSync(join(half, "fonts/fonts.conf"), fontsConf(folder));
    renameSync(half, folder);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // else another run was faster, which is as good
  }
}

function fontsConf(folder: string): string {
  const fonts = `<dir>${join(folder, "fonts")}</dir><cachedir>${join(folder, "fonts-cache")}</cachedir>`;
  return `<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>${fonts}</fontconfig>\n`;
}

function packageVersion(): string {
  const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), "../../package.json"), "utf8"));
  return (manifest as { version: string }).version;
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
