// The API, with the two ways it can fail kept apart: refused (the server said no) and offline (nobody answered).
import { t } from "../base/i18n.js";

export class Refused extends Error {
  constructor(status, reply) {
    super(reply.detail ?? reply.problems?.join(" ") ?? t("The server refused this ({status}).", { status }));
    this.status = status;
    this.code = reply.code ?? "";
    this.reply = reply;
  }
}

export class Offline extends Error {}

const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";

export async function call(method, url, body) {
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token() },
      ...(method !== "GET" && { body: JSON.stringify(body ?? {}) }),
      signal: AbortSignal.timeout(15000),
      keepalive: method === "PUT", // a draft still goes out when the tab closes
    });
  } catch (cause) {
    throw new Offline(t("The server cannot be reached."), { cause });
  }
  if (response.status >= 500 || response.status === 429) throw new Offline(t("The server answered {status}.", { status: response.status }));
  const reply = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, reply);
  return reply;
}
