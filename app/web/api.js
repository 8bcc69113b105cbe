// The service's answers, or an Error whose message is the problem's own sentence.

const headers = () => {
  const key = sessionStorage.getItem("key");
  return key ? { "X-API-Key": key } : {};
};

async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers() });
  } catch {
    throw new Error("The service does not answer.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const error = new Error(problem.detail ?? `The service answered ${response.status}.`);
  error.status = response.status;
  throw error;
}

export const health = async () => (await send("/health")).json();

export async function search(image, offset) {
  const form = new FormData();
  form.append("image", image, image.name ?? "query");
  form.append("top_k", "24");
  form.append("offset", String(offset));
  return (await send("/search", { method: "POST", body: form })).json();
}

export async function list() {
  return (await send("/gallery?limit=24")).json();
}

export async function add(files) {
  const form = new FormData();
  for (const file of files) form.append("images", file, file.name);
  return (await send("/gallery", { method: "POST", body: form })).json();
}

// Images need the key too, so they are fetched rather than linked.
export async function picture(path) {
  return (await send(path)).blob();
}
