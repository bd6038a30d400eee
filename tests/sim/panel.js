// Redraws devices and pages every second; a row that has not changed keeps its buttons and the focus.
const texts = {
  en: {
    title: "Simulated site", lead: "Break a device here and watch Sitewarden notice.", devices: "Devices",
    pages: "Pages received", none: "Nothing yet.", mend: "mend", ok: "works", off: "cut off", other: "中文",
    gone: "The simulator does not answer. Is the demo still running?",
    otherwise: "break otherwise…",
    unplug: "unplug", is_unplug: "unplugged", slow: "slow", password: "password changed", clock: "clock wrong", port: "port down",
    certificate: "certificate expired", disk: "disk failed", channel: "camera lost", recording: "not recording",
    schedule: "schedule switched off",
    battery: "on battery", tamper: "opened or covered", reader: "reader silent", ajar: "door ajar", fire: "fire input broken",
    signal: "no signal", stall: "stream stalled", renamed: "stream renamed", busy: "streams used up", source: "no source",
    key_frame: "no key frame", loss: "packets lost", black: "black picture", turned: "camera turned", frozen: "picture frozen",
    blurred: "out of focus", feed: "PoE port failed", budget: "PoE budget used up", fan: "fan failed", supply: "power supply failed",
    heat: "too hot", load: "processor busy", memory: "memory full", errors: "damaged packets", duplex: "half duplex",
  },
  zh: {
    title: "模拟站点", lead: "在这里弄坏设备，看看 Sitewarden 如何发现。", devices: "设备",
    pages: "收到的呼叫", none: "暂无。", mend: "修复", ok: "正常", off: "被断开", other: "English",
    gone: "模拟器没有应答，演示还在运行吗？",
    otherwise: "其他故障…",
    unplug: "断电", is_unplug: "已断电", slow: "变慢", password: "密码被改", clock: "时钟错误", port: "端口断开",
    certificate: "证书过期", disk: "硬盘故障", channel: "通道离线", recording: "未录像", schedule: "录像计划关闭",
    battery: "电池供电", tamper: "被拆或遮挡", reader: "读卡器离线", ajar: "门未关好", fire: "消防输入断线",
    signal: "视频丢失", stall: "码流停滞", renamed: "码流地址变更", busy: "取流路数用尽", source: "无视频源", key_frame: "无关键帧",
    loss: "丢包", black: "黑屏", turned: "画面偏移", frozen: "画面冻结", blurred: "画面模糊", feed: "PoE 端口故障",
    budget: "PoE 功率用尽", fan: "风扇故障", supply: "电源故障", heat: "温度过高", load: "CPU 过高", memory: "内存占满",
    errors: "错包", duplex: "半双工",
  },
};
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
const text = (key) => texts[language][key] ?? key;
const find = (id) => document.getElementById(id);
const drawn = new Map();

function make(name, content, className) {
  const element = document.createElement(name);
  if (content !== undefined) element.textContent = content;
  if (className) element.className = className;
  return element;
}

function button(label, pressed, act) {
  const element = make("button", label);
  element.type = "button";
  if (pressed !== undefined) element.setAttribute("aria-pressed", String(pressed));
  element.addEventListener("click", act);
  return element;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  find("problem").textContent = answer.ok ? "" : await answer.text();
  await refresh();
}

function fill(row, device) {
  const bad = device.off || device.troubles.length > 0;
  const state = device.troubles.map((way) => texts[language][`is_${way}`] ?? text(way)).join(", ") || (device.off ? text("off") : text("ok"));
  const focused = [...row.querySelectorAll("button, select")].indexOf(document.activeElement);
  row.className = bad ? "bad" : "";
  const what = make("div", device.name + " ");
  what.append(make("span", (bad ? "✕ " : "✓ ") + state, "state"), make("small", `${device.id} · ${device.class} · ${device.address}`));
  const acts = make("div", undefined, "acts");
  const how = (way) => post(`/devices/${device.id}/break`, { how: way });
  acts.append(button(text("unplug"), device.troubles.includes("unplug"), () => how("unplug")));
  const others = make("select");
  others.append(new Option(text("otherwise"), ""));
  for (const way of device.ways) if (way !== "unplug") others.append(new Option(text(way), way));
  others.addEventListener("change", () => how(others.value));
  acts.append(others);
  acts.append(button(text("mend"), undefined, () => post(`/devices/${device.id}/mend`, {})));
  for (const each of acts.children) each.setAttribute("aria-label", `${each.options?.[0].textContent ?? each.textContent}: ${device.name}`);
  row.replaceChildren(what, acts);
  if (focused >= 0) row.querySelectorAll("button, select")[focused]?.focus();
}

function drawDevices(devices) {
  for (const device of devices) {
    const known = drawn.get(device.id);
    const now = language + JSON.stringify(device);
    if (known?.now === now) continue;
    const row = known?.row ?? find("devices").appendChild(make("li"));
    row.dataset.device = device.id;
    fill(row, device);
    drawn.set(device.id, { row, now });
  }
}

function drawPages(pages) {
  find("none").hidden = pages.length > 0;
  find("pages").replaceChildren(...pages.slice(-50).reverse().map((page) => {
    const row = make("li");
    const what = make("div", page.subject || page.channel);
    what.append(make("small", `${new Date(page.at).toLocaleTimeString()} · ${page.channel} · ${page.to}`), make("pre", page.text));
    row.append(what);
    return row;
  }));
}

let newest = "";
async function refresh() {
  const [devices, pages] = await Promise.all(["/devices", "/pages"].map((path) => fetch(path).then((a) => a.json())));
  drawDevices(devices);
  const now = language + pages.length + (pages.at(-1)?.at ?? "");
  if (now !== newest) drawPages(pages);
  newest = now;
}

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  find("language").textContent = text("other");
  find("language").lang = language === "zh" ? "en" : "zh";
}

find("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  translate();
  refresh();
});

async function tick() {
  try {
    await refresh();
    if (find("problem").textContent === text("gone")) find("problem").textContent = "";
  } catch {
    find("problem").textContent = text("gone");
  }
  setTimeout(tick, 1000);
}
translate();
tick();
