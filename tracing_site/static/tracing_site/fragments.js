// Pieces of pages, rendered by the server.

/** The text behind `url`; throws an Error that says the status. Reloads the page where the session has ended. */
export async function fragment(url) {
    const response = await fetch(url, { headers: { "X-Requested-With": "fetch" } });
    if (response.redirected) location.reload();
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return response.text();
}
