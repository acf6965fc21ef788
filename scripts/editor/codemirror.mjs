// The editor for code, as one script: `CodeMirror.open` makes one. Built by scripts/build_editor.py.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { javascript, javascriptLanguage } from '@codemirror/lang-javascript';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { forceLinting, linter, lintGutter, lintKeymap } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

// Colours are the page's variables: they reach into the shadow root that the editor lives in.
const THEME = EditorView.theme({
  '&': { backgroundColor: 'var(--code)', color: 'var(--text)', borderRadius: '8px', fontSize: '.86rem' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', minHeight: '9rem', maxHeight: '34rem' },
  '.cm-content': { padding: '.6rem 0', caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--code)', color: 'var(--soft)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--accent-soft) 45%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)', borderRadius: '8px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--wait)' },
});
const WORDS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--success)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--run)' },
  { tag: tags.comment, color: 'var(--soft)', fontStyle: 'italic' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], fontWeight: '600' },
]);

// A browser that replaces styled text styles what is typed, which the page's policy forbids.
const REPLACE = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main } = view.state.selection;
    const text = event.data;
    if (event.inputType !== 'insertText' || !text || main.empty || view.composing) return false;
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, main.from, main.to, text, insert))) view.dispatch(insert());
    return true;
  },
});

/**
 * An editor in `host`, in a shadow root of its own: the page allows no style but its own files.
 * @param {HTMLElement} host
 * @param {{ text: string, label: string, changed: (text: string) => void,
 *   check: () => Promise<{ line: number, column: number, warning: boolean, message: string }[]>,
 *   names: () => { name: string, about: string }[] }} wanted
 */
export function open(host, wanted) {
  const root = host.attachShadow({ mode: 'open' });
  /** @param {import('@codemirror/autocomplete').CompletionContext} context */
  const complete = (context) => {
    const word = context.matchBefore(/[\w$]*/);
    if (!word || (word.from === word.to && !context.explicit)) return null;
    return { from: word.from, options: wanted.names().map(({ name, about }) => ({ label: name, type: 'function', detail: about })) };
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: wanted.text,
      extensions: [
        lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
        highlightActiveLine(), javascript(), javascriptLanguage.data.of({ autocomplete: complete }),
        autocompletion(), indentUnit.of('  '), EditorState.tabSize.of(2), EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': wanted.label, 'aria-multiline': 'true' }),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
        syntaxHighlighting(WORDS), THEME, REPLACE, lintGutter(),
        linter(async ({ state }) => (await wanted.check()).map(({ line, column, warning, message }) => {
          const row = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
          const from = Math.min(row.to, row.from + Math.max(0, column - 1));
          return { from, to: state.wordAt(from)?.to ?? Math.min(row.to, from + 1), severity: warning ? 'warning' : 'error', message };
        }), { delay: 600 }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) wanted.changed(update.state.doc.toString());
        }),
      ],
    }),
  });
  return { focus: () => view.focus(), check: () => forceLinting(view) };
}
