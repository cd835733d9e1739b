/** What the tidy check knows of a source file: its imports, exports, functions and prose, as TypeScript's own parser reads it. */
import { dirname, join, relative } from 'node:path';
import { computeLineStarts, type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isExportDeclaration,
  isFunctionLikeDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isInterfaceDeclaration,
  isNamedImports,
  isNamespaceImport,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeAliasDeclaration,
  isTypeReferenceNode,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

/** A module of the tree that a file imports, and the names it takes from there; `*` for all of them. */
export interface Import {
  readonly line: number;
  readonly path: string;
  readonly names: readonly string[];
}

export interface Export {
  readonly line: number;
  readonly name: string;
  /** A type that another declaration of the file names is part of that declaration's signature. */
  readonly inSignature: boolean;
}

/** A comment, a string or a paragraph of a document: what people read. */
export interface Prose {
  readonly line: number;
  readonly text: string;
}

export interface FileFacts {
  /** Relative to the root of the tree, with `/`. */
  readonly path: string;
  /** Whether it opens with a comment that says what it is. */
  readonly introduced: boolean;
  readonly imports: readonly Import[];
  /** Lines that only pass on what another file exports. */
  readonly reexports: readonly number[];
  readonly exports: readonly Export[];
  readonly functions: readonly { readonly line: number; readonly name: string; readonly lines: number }[];
  readonly prose: readonly Prose[];
  /** Where it uses chance that has no seed. */
  readonly chance: readonly { readonly line: number; readonly name: string }[];
}

/**
 * Reads every file that `tsconfig.json` of `root` names, without those of node_modules.
 *
 * @param folders with a `tsconfig.json` of their own that are read as well
 */
export function readFacts(root: string, folders: readonly string[] = []): FileFacts[] {
  const api = new API({ cwd: root });
  try {
    const openProjects = ['', ...folders].map((folder) => join(root, folder, 'tsconfig.json'));
    using snapshot = api.updateSnapshot({ openProjects });
    const facts = new Map<string, FileFacts>();
    for (const { program } of snapshot.getProjects())
      for (const name of program.getSourceFileNames()) {
        const path = relative(root, name);
        if (!name.startsWith(`${root}/`) || name.includes('/node_modules/') || facts.has(path)) continue;
        facts.set(path, factsOf(program.getSourceFile(name)!, path));
      }
    return [...facts.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    api.close();
  }
}

function factsOf(file: SourceFile, path: string): FileFacts {
  const lineAt = lineFinder(computeLineStarts(file.text));
  const imports: Import[] = [];
  const functions: { line: number; name: string; lines: number }[] = [];
  const literals: { from: number; to: number; prose: boolean }[] = [];
  const typeNames = new Set<string>();
  const chance: { line: number; name: string }[] = [];
  const visit = (node: Node, name: string): void => {
    const from = importOf(node, path);
    if (from !== null) imports.push({ line: lineAt(node.getStart(file)), ...from });
    if (isFunctionLikeDeclaration(node) && 'body' in node && node.body !== undefined && !isGroup(node)) {
      const line = lineAt(node.getStart(file));
      functions.push({ line, name: nameOf(node) ?? name, lines: lineAt(node.end) - line + 1 });
    }
    if (isTypeReferenceNode(node)) typeNames.add(leftmost(node.typeName));
    const dice = diceOf(node);
    if (dice !== null) chance.push({ line: lineAt(node.getStart(file)), name: dice });
    if (LITERALS.has(node.kind)) {
      const prose = node.kind !== SyntaxKind.RegularExpressionLiteral && !isModuleName(node);
      literals.push({ from: node.getStart(file), to: node.end, prose });
    }
    const inner = nameOf(node) ?? name;
    node.forEachChild((child) => visit(child, inner));
  };
  visit(file, '(file)');
  const strings = literals
    .filter(({ prose }) => prose)
    .map(({ from, to }) => ({ line: lineAt(from), text: file.text.slice(from, to) }));
  const comments = commentsOf(file.text, literals).map(({ at, text }) => ({ line: lineAt(at), text }));
  return {
    path,
    introduced: /^(?:#!.*\n)?\/\*\*/.test(file.text),
    imports,
    reexports: file.statements
      .filter((node) => isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      .map((node) => lineAt(node.getStart(file))),
    exports: exportsOf(file).map(({ node, name }) => ({
      line: lineAt(node.getStart(file)),
      name,
      inSignature: isType(node) && typeNames.has(name),
    })),
    functions,
    prose: [...comments, ...strings].sort((a, b) => a.line - b.line),
    chance,
  };
}

/** @returns the number of the line, from 1, in which a position lies */
function lineFinder(starts: readonly number[]): (position: number) => number {
  return (position) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** `describe` groups tests, each a function of its own. */
function isGroup({ parent }: Node): boolean {
  return isCallExpression(parent) && isIdentifier(parent.expression) && parent.expression.text === 'describe';
}

/** The name of a function whose values nobody can reproduce. */
function diceOf(node: Node): string | null {
  if (isIdentifier(node))
    return /^(?:randomBytes|randomInt|getRandomValues)$/.test(node.text) ? node.text : null;
  if (!isPropertyAccessExpression(node) || node.name.text !== 'random') return null;
  return isIdentifier(node.expression) && node.expression.text === 'Math' ? 'Math.random' : null;
}

const isType = (node: Node): boolean => isInterfaceDeclaration(node) || isTypeAliasDeclaration(node);

function leftmost(name: Node): string {
  return isIdentifier(name) ? name.text : leftmost((name as Node & { readonly left: Node }).left);
}

const LITERALS = new Set([
  SyntaxKind.StringLiteral,
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateHead,
  SyntaxKind.TemplateMiddle,
  SyntaxKind.TemplateTail,
  SyntaxKind.RegularExpressionLiteral,
]);

function isModuleName(node: Node): boolean {
  return isImportDeclaration(node.parent) || isExportDeclaration(node.parent);
}

function nameOf(node: Node): string | undefined {
  // A test is called by its title.
  const title = isCallExpression(node) ? node.arguments[0] : undefined;
  if (title !== undefined) return isStringLiteral(title) ? title.text : undefined;
  const { name } = node as { readonly name?: Node & { readonly text?: string } };
  return name?.text;
}

/** What an import declaration, an `import()` or the type `import('…')` takes from a file of the tree. */
function importOf(node: Node, from: string): { path: string; names: string[] } | null {
  const resolved = (specifier: Node | undefined): string | null =>
    specifier !== undefined && isStringLiteral(specifier) && specifier.text.startsWith('.')
      ? join(dirname(from), specifier.text)
      : null;
  if (isImportDeclaration(node)) {
    const path = resolved(node.moduleSpecifier);
    if (path === null) return null;
    const bindings = node.importClause?.namedBindings;
    if (bindings === undefined) return { path, names: node.importClause === undefined ? [] : ['default'] };
    if (isNamespaceImport(bindings)) return { path, names: ['*'] };
    const names = isNamedImports(bindings)
      ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
      : [];
    return { path, names };
  }
  if (isExportDeclaration(node)) {
    const path = resolved(node.moduleSpecifier);
    return path === null ? null : { path, names: ['*'] };
  }
  if (isImportTypeNode(node)) {
    const path = resolved((node.argument as { literal?: Node }).literal);
    const name = (node.qualifier as { text?: string } | undefined)?.text;
    return path === null ? null : { path, names: [name ?? '*'] };
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const path = resolved(node.arguments[0]);
    return path === null ? null : { path, names: ['*'] };
  }
  return null;
}

function exportsOf(file: SourceFile): { node: Node; name: string }[] {
  return file.statements.flatMap((node) => {
    const { modifiers } = node as { readonly modifiers?: readonly Node[] };
    if (!modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) return [];
    if (modifiers.some(({ kind }) => kind === SyntaxKind.DefaultKeyword)) return [{ node, name: 'default' }];
    const { declarationList } = node as {
      readonly declarationList?: { readonly declarations: readonly Node[] };
    };
    const declared = declarationList?.declarations ?? [node];
    return declared
      .map((each) => ({ node: each, name: nameOf(each) ?? '' }))
      .filter(({ name }) => name !== '');
  });
}

/** The comments of a source: outside literals, two slashes or a slash and a star can begin nothing else. */
function commentsOf(
  text: string,
  literals: readonly { readonly from: number; readonly to: number }[],
): { at: number; text: string }[] {
  let bare = text;
  for (const { from, to } of literals) {
    bare = bare.slice(0, from) + ' '.repeat(to - from) + bare.slice(to);
  }
  return [...bare.matchAll(/\/\*.*?\*\/|\/\/[^\n]*/gs)].map(({ 0: found, index }) => ({
    at: index,
    text: text.slice(index, index + found.length),
  }));
}
