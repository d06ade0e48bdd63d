/** One icon per preset id. */
import {
  IconAbc,
  IconBook2,
  IconFeather,
  IconHexagons,
  IconMathSymbols,
  IconSchool,
  type Icon,
} from '@tabler/icons-react';

export const PRESET_ICONS: Readonly<Record<string, Icon>> = {
  names: IconAbc,
  novel_char: IconFeather,
  classic: IconSchool,
  tiny_tales: IconBook2,
  arithmetic: IconMathSymbols,
  small_llama: IconHexagons,
};
