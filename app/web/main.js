import * as api from "/static/api.js";

const $ = (id) => document.getElementById(id);
const CHUNK = 20;
let query = null;
let next = null;
// Answers of a search that is no longer wanted are dropped.
let turn = 0;

function say(error) {
  $("message").textContent = error ? error.message : "";
  $("message").hidden = !error;
  $("key-form").hidden = !(error && (error.status === 401 || error.status === 403));
}

async function attempt(work) {
  try {
    say(null);
    await work();
  } catch (error) {
    say(error);
  }
}

async function showStatus(again = false) {
  try {
    const { gallery, model } = await api.health();
    $("status").textContent = `${gallery.images.toLocaleString()} images · model ${model.name}/${model.version}`;
  } catch (error) {
    $("status").textContent = error.message;
    setTimeout(() => showStatus(true), 2000);
    return;
  }
  // What could not be shown at the start can be now.
  if (again) await attempt(browse);
}

// Null, or missing in a list of the gallery: there is no calibration, so nothing is claimed.
function verdict({ match, score }) {
  if (match === undefined || match === null) return "";
  if (score === null) return match ? "match" : "no match";
  const percent = score >= 0.995 ? "over 99" : score < 0.005 ? "under 1" : Math.round(score * 100);
  return `${match ? "match" : "no match"}, ${percent} %`;
}

function card(image) {
  const item = $("result").content.cloneNode(true);
  const name = image.label ?? image.filename ?? image.id;
  const img = item.querySelector("img");
  img.alt = name;
  api.picture(image.thumbnail_url).then((blob) => { img.src = URL.createObjectURL(blob); }, () => {});
  item.querySelector(".label").textContent = name;
  item.querySelector(".distance").textContent =
    image.distance === undefined ? "" : `distance ${image.distance.toFixed(3)}`;
  item.querySelector(".score").textContent = verdict(image);
  const button = item.querySelector("button");
  button.title = "Find images like this one";
  button.addEventListener("click", () =>
    attempt(async () => ask(await api.picture(image.image_url))));
  return item;
}

function clear() {
  for (const img of $("results").querySelectorAll("img")) URL.revokeObjectURL(img.src);
  $("results").replaceChildren();
}

async function ask(image, offset = 0) {
  const mine = ++turn;
  if (offset === 0) {
    query = image;
    if ($("preview").src) URL.revokeObjectURL($("preview").src);
    $("preview").src = URL.createObjectURL(image);
    $("preview").hidden = false;
    $("hint").hidden = true;
    scrollTo({ top: 0, behavior: "smooth" });
  }
  const answer = await api.search(image, offset);
  if (mine !== turn) return;
  if (offset === 0) clear();
  $("results").append(...answer.results.map(card));
  next = answer.next_offset;
  $("more").hidden = next === null;
  if (offset === 0) $("results-title").textContent = summary(answer);
}

function summary({ results, total, calibration, took_ms: ms }) {
  if (!total) return "The gallery is empty. Add some images first.";
  const all = `${total.toLocaleString()} images (${ms.toFixed(0)} ms)`;
  // The nearest comes first: when it is no match, none is.
  const found = results[0]?.match === false
    ? `No match in ${all}. These are the nearest all the same.`
    : `Most alike first, of ${all}`;
  return calibration === "model"
    ? `${found.replace(/\.$/, "")}. Verdicts are not calibrated for this gallery: it has too few labelled images.`
    : found;
}

// The gallery, until something is asked: whoever is quick asks before the page knows its gallery.
async function browse() {
  if (query !== null) return;
  const mine = ++turn;
  const answer = await api.list();
  if (mine !== turn) return;
  clear();
  $("results").append(...answer.images.map(card));
  $("results-title").textContent = answer.total
    ? "From the gallery. Choose one to find its twins."
    : "The gallery is empty. Add some images first.";
}

async function add(files) {
  const failed = [];
  let stored = 0;
  for (let start = 0; start < files.length; start += CHUNK) {
    const answer = await api.add(files.slice(start, start + CHUNK));
    stored += answer.created + answer.replaced + answer.skipped;
    failed.push(...answer.items.filter((item) => item.error));
    $("added").textContent = `${stored} of ${files.length} stored`;
  }
  const first = failed[0];
  if (first) $("added").textContent += `; ${failed.length} refused. ${first.filename}: ${first.error.detail}`;
  await showStatus();
  await browse();
}

// What a browser cannot show may be an image all the same (HEIC), or none.
$("preview").addEventListener("error", () => {
  $("preview").hidden = true;
  $("hint").hidden = false;
});
$("query").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) attempt(() => ask(file));
  event.target.value = "";
});
$("add").addEventListener("change", (event) => {
  const files = [...event.target.files];
  if (files.length) attempt(() => add(files));
  event.target.value = "";
});
$("more").addEventListener("click", () => attempt(() => ask(query, next)));
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  attempt(() => (query === null ? browse() : ask(query)));
});

for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    const file = kind === "drop" && event.dataTransfer.files[0];
    if (file) attempt(() => ask(file));
  });
}
addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) attempt(() => ask(file));
});

await showStatus();
await attempt(browse);
