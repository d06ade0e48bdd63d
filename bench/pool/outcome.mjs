/** What a room of browsers came to: the weights that its pages saved, and the bytes that they sent. */

/** Runs in the page: SHA-256 of the weights of the newest checkpoint of its only run. */
export async function savedWeights() {
  const root = await window.navigator.storage.getDirectory();
  const found = [];
  async function walk(folder, path) {
    for await (const [name, handle] of folder) {
      if (handle.kind === 'directory') await walk(handle, `${path}/${name}`);
      else if (/\/checkpoint-\d+$/u.test(path) && name === 'model.safetensors') {
        found.push({ path, file: await handle.getFile() });
      }
    }
  }
  await walk(root, '');
  const numberOf = ({ path }) => Number(path.split('-').at(-1));
  found.sort((a, b) => numberOf(b) - numberOf(a));
  const hash = await window.crypto.subtle.digest('SHA-256', await found[0].file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Runs in the page: what its table of members says. */
export function membersOf(table) {
  const rows = [...table.querySelectorAll('tr')].slice(1);
  return rows.map((row) => {
    const [name, , , , , contributed, late, refused] = [...row.cells].map((cell) => cell.innerText);
    return { name, contributed: Number(contributed), late: Number(late), refused: Number(refused) };
  });
}

/**
 * Differences of parameters that the host received and sent in a round, over the network, against the
 * formula: two bytes a parameter and laptop. The host's own member sends its difference inside the
 * page. `state` and `others`: bytes of parameters for those who join, and of all else, in the whole run.
 */
export function bytesOfRounds(wires) {
  const [{ plan, records }, ...others] = wires;
  const rounds = Object.keys(records).length;
  const total = (type, field) =>
    wires.reduce((sum, { types }) => sum + (types[type]?.[field] ?? 0), 0);
  const received = total('contribution', 'payload');
  const sent = total('update', 'payload');
  const formula = 2 * plan.n_params * others.length;
  const state = total('state', 'payload');
  const all = wires.reduce((sum, { frames }) => sum + frames, 0);
  return {
    rounds,
    received_a_round: received / rounds,
    sent_a_round: sent / rounds,
    expected: { received: formula, sent: formula },
    state,
    others: all - received - sent - state,
  };
}
