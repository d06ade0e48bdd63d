/** The program of a bundle: files of Python that a person reads and changes, as they lie in `python/`. */
import adapters from './python/adapters.py?raw';
import data from './python/data.py?raw';
import folder from './python/folder.py?raw';
import fsdp2 from './python/fsdp2.yaml?raw';
import losses from './python/losses.py?raw';
import optimizer from './python/optimizer.py?raw';
import order from './python/order.py?raw';
import readme from './python/README.md?raw';
import requirements from './python/requirements.txt?raw';
import sharding from './python/sharding.py?raw';
import train from './python/train.py?raw';

export const PROGRAM: Readonly<Record<string, string>> = {
  'README.md': readme,
  'train.py': train,
  'adapters.py': adapters,
  'data.py': data,
  'folder.py': folder,
  'losses.py': losses,
  'optimizer.py': optimizer,
  'order.py': order,
  'sharding.py': sharding,
  'fsdp2.yaml': fsdp2,
  'requirements.txt': requirements,
};
