/** A copy of a build as a later build would be: the same code under new names of all its files. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';

const TEXT_FILES = ['.html', '.js', '.css', '.webmanifest'];

/** Returns its folder. `title` becomes the title of the page. */
export function nextBuild(folder: string, title: string): string {
  const next = mkdtempSync(join(tmpdir(), 'terrarium-next-'));
  cpSync(folder, next, { recursive: true });
  const files = readdirSync(next, { recursive: true, encoding: 'utf8' });
  const stems = files
    .filter((file) => dirname(file).startsWith('assets') && extname(file) !== '')
    .map((file) => basename(file, extname(file)));
  const named = new RegExp(
    `(${stems.map((stem) => stem.replaceAll('.', '\\.')).join('|')})(?=\\.)`,
    'gu',
  );
  for (const file of files.filter((name) => TEXT_FILES.includes(extname(name)))) {
    const path = join(next, file);
    const text = readFileSync(path, 'utf8')
      .replaceAll(named, '$1-next')
      .replace(/(url:"index\.html",revision:")\w+/u, '$1next')
      .replace(/<title>[^<]*/u, `<title>${title}`);
    writeFileSync(path, text);
  }
  for (const file of files.filter((name) => stems.includes(basename(name, extname(name)))))
    renameSync(
      join(next, file),
      join(next, dirname(file), `${basename(file, extname(file))}-next${extname(file)}`),
    );
  return next;
}
