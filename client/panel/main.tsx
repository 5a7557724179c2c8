/** The page at /panel/: the panel's state, drawn, and kept in step with the address. */
import { render } from "preact";
import { machineOfPage } from "./machine-of-page.ts";
import { Panel } from "./store/panel.ts";
import { App } from "./views/app.tsx";
import { wearTheme } from "./views/theme.tsx";

wearTheme();
const panel = new Panel(machineOfPage());
const follow = (): void => panel.went(location.hash);
globalThis.addEventListener("hashchange", follow);
follow();
void panel.signIn.begin();

const place = document.getElementById("panel");
if (place !== null) render(<App panel={panel} />, place);
