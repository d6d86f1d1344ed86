// The field for a token: whoever is asked as. It is kept for as long as the tab is open and sent to nobody but the gateway,
// as a header; never in an address, where logs and histories would have it.
import { useState } from 'react';

const KEY = 'portcullis:token';

/** What the field holds now, also for a request that is on its way out. */
export function currentToken() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    // A browser that keeps nothing.
    return '';
  }
}

function keep(token) {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // As above: then there is no token.
  }
}

/** A pasted token may have its scheme in front, or a line break in it. */
function bare(text) {
  return text.replace(/\s+/g, ' ').trim().replace(/^bearer /i, '').replaceAll(' ', '');
}

/** A fetcher that sends the token with every request, unless the editor of headers says otherwise. */
export function withToken(fetcher) {
  return (parameters, options = {}) => {
    const headers = options.headers ?? {};
    const named = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
    const token = currentToken();
    const own = token && !named ? { Authorization: `Bearer ${token}` } : {};
    return fetcher(parameters, { ...options, headers: { ...own, ...headers } });
  };
}

export function TokenField() {
  const [token, setToken] = useState(currentToken);
  const change = (event) => {
    const next = bare(event.target.value);
    keep(next);
    setToken(next);
  };
  return (
    <label className="token">
      <span>Token</span>
      <input
        type="password"
        name="token"
        value={token}
        onChange={change}
        placeholder="none: you are nobody. Paste a token to be somebody"
        autoComplete="off"
        spellCheck={false}
      />
    </label>
  );
}
