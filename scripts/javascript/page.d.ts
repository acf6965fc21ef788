/** What `scripts/build_editor.py` builds: see `scripts/editor/codemirror.mjs`. */
declare const CodeMirror: {
  open(
    host: HTMLElement,
    wanted: {
      text: string;
      label: string;
      changed: (text: string) => void;
      check: () => Promise<{ line: number; column: number; warning: boolean; message: string }[]>;
      names: () => { name: string; about: string }[];
    },
  ): { focus(): void; check(): void };
};

/** The words of a name in the reader's language (`static/words.js`). */
declare var say: (key: string, values?: Record<string, string | number>) => string;
