/** For tests only: what a browser does with redirects and cookies, hop by hop, on hosts that it tells apart by port. */
export interface Hop {
  status: number;
  location: string | null;
  text: string;
  cookies: string[];
}

export class TestBrowser {
  readonly #jars = new Map<string, Map<string, string>>();

  async send(url: string, init: RequestInit = {}): Promise<Hop> {
    const jar = this.jar(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string>), ...(cookie && { cookie }) };
    const response = await fetch(url, { redirect: 'manual', ...init, headers });
    const cookies = response.headers.getSetCookie();
    for (const line of cookies) {
      const [pair = ''] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (value === '' || /max-age=0\b|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    const location = response.headers.get('location');
    return {
      status: response.status,
      location: location && new URL(location, url).href,
      text: await response.text(),
      cookies,
    };
  }

  jar(url: string): Map<string, string> {
    const { origin } = new URL(url);
    const jar = this.#jars.get(origin) ?? new Map<string, string>();
    this.#jars.set(origin, jar);
    return jar;
  }

  /** Goes to the issuer and logs in there as `sub`; returns where it sends the browser, which has not gone there yet. */
  async reachCallback(webhookUrl: string, sub: string, returnTo = '/'): Promise<string> {
    const start = `${webhookUrl}/api/oidc/login?return_to=${encodeURIComponent(returnTo)}`;
    let at = (await this.send(start)).location!;
    for (let hops = 0; hops < 10; hops += 1) {
      if (at.startsWith(`${webhookUrl}/`)) return at;
      let hop = await this.send(at);
      const form = /action="([^"]+)"/.exec(hop.text)?.[1];
      if (hop.status === 200 && form) {
        hop = await this.send(new URL(form, at).href, {
          method: 'POST',
          body: new URLSearchParams({ prompt: 'login', login: sub, password: 'any' }),
        });
      }
      if (!hop.location) throw new Error(`the issuer stopped at ${at}: ${hop.status} ${hop.text}`);
      at = hop.location;
    }
    throw new Error('the issuer does not come to an end');
  }
}
