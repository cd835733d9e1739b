/** Styles that a file imports are bundled, and say nothing. */
declare module '*.css';
