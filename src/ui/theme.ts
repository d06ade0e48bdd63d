/** The Mantine theme: leaf green, neutral surfaces, system fonts only. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const leaf: MantineColorsTuple = [
  '#eef8f1',
  '#d9eee0',
  '#b2dcc1',
  '#87c99f',
  '#62b882',
  '#4bae70',
  '#2f8f58',
  '#24754a',
  '#1c623d',
  '#0c4a2b',
];

export const theme = createTheme({
  primaryColor: 'leaf',
  primaryShade: 7,
  colors: { leaf },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace:
    "ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, 'Liberation Mono', monospace",
  defaultRadius: 'md',
  components: { Button: { styles: { label: { fontWeight: 550 } } } },
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusRing: 'auto',
});
