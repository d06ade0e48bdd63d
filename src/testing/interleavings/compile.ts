/** Compiles the part of AssemblyScript that assembly/threads.ts is written in. */
import ts from 'typescript';
import type {
  BinaryOperator,
  CompiledFunction,
  CompiledProgram,
  Instruction,
  SharedOperation,
} from './instructions.ts';

const OPERATORS: Partial<Record<ts.SyntaxKind, BinaryOperator>> = {
  [ts.SyntaxKind.PlusToken]: '+',
  [ts.SyntaxKind.MinusToken]: '-',
  [ts.SyntaxKind.AsteriskToken]: '*',
  [ts.SyntaxKind.LessThanToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>',
  [ts.SyntaxKind.EqualsEqualsToken]: '==',
  [ts.SyntaxKind.ExclamationEqualsToken]: '!=',
  [ts.SyntaxKind.AmpersandToken]: '&',
  [ts.SyntaxKind.BarToken]: '|',
  [ts.SyntaxKind.LessThanLessThanToken]: '<<',
};

const ASSIGNMENTS: Partial<Record<ts.SyntaxKind, BinaryOperator>> = {
  [ts.SyntaxKind.PlusEqualsToken]: '+',
  [ts.SyntaxKind.GreaterThanGreaterThanEqualsToken]: '>>',
  [ts.SyntaxKind.AsteriskEqualsToken]: '*',
};

/** Functions of AssemblyScript, and of the checker, that other threads can see. */
const SHARED: Record<string, SharedOperation> = {
  load: 'load',
  'atomic.load': 'load',
  'atomic.store': 'store',
  'atomic.add': 'add',
  'atomic.sub': 'sub',
  'atomic.wait': 'wait',
  'atomic.notify': 'notify',
  begin: 'begin',
  finish: 'finish',
};

/** The features of the build. */
const FEATURES = new Map([['ASC_FEATURE_THREADS', 1]]);

/**
 * Compiles all functions and globals of `source`.
 *
 * @throws Error if the source uses anything that this compiler does not know.
 */
export function compile(source: string): CompiledProgram {
  const file = ts.createSourceFile('threads.ts', source, ts.ScriptTarget.ES2022, true);
  const compiler = new Compiler();
  file.statements.forEach((statement) => compiler.declareGlobals(statement));
  file.statements.forEach((statement) => compiler.compileFunction(statement));
  return compiler;
}

class Compiler implements CompiledProgram {
  readonly code: Instruction[] = [];
  readonly functions = new Map<string, CompiledFunction>();
  readonly globals: number[] = [];
  readonly #constants = new Map(FEATURES);
  readonly #globalIndex = new Map<string, number>();
  /** Local variables of the current function. */
  #slots = new Map<string, number>();
  /** Jumps of the innermost loop that are to be directed to its next turn. */
  #continues: { op: 'jump' | 'jump_if_zero'; to: number }[] = [];

  declareGlobals(statement: ts.Statement): void {
    if (!ts.isVariableStatement(statement)) return;
    const isConstant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
    for (const { name, initializer } of statement.declarationList.declarations) {
      const value = this.#constantOf(initializer);
      if (isConstant) this.#constants.set(name.getText(), value);
      else this.#globalIndex.set(name.getText(), this.globals.push(value) - 1);
    }
  }

  #constantOf(expression: ts.Expression | undefined): number {
    if (!expression) return 0;
    const text = expression.getText().replaceAll('_', '');
    if (text === 'true' || text === 'false') return Number(text === 'true');
    const shifted = /^(\d+) << (\d+)$/u.exec(text);
    const value = shifted ? Number(shifted[1]) << Number(shifted[2]) : Number(text);
    if (Number.isNaN(value)) throw unknown(expression);
    return value;
  }

  compileFunction(statement: ts.Statement): void {
    if (!ts.isFunctionDeclaration(statement) || !statement.body || !statement.name) return;
    this.#slots = new Map();
    statement.parameters.forEach(({ name }) => this.#slotOf(name.getText()));
    const compiled = { entry: this.code.length, parameters: statement.parameters.length, slots: 0 };
    this.functions.set(statement.name.text, compiled);
    this.#statement(statement.body);
    this.#emit({ op: 'push', value: 0 });
    this.#emit({ op: 'return' });
    compiled.slots = this.#slots.size;
  }

  #emit<I extends Instruction>(instruction: I): I {
    this.code.push(instruction);
    return instruction;
  }

  #slotOf(name: string): number {
    const slot = this.#slots.get(name) ?? this.#slots.size;
    this.#slots.set(name, slot);
    return slot;
  }

  #statement(node: ts.Statement): void {
    if (ts.isBlock(node)) node.statements.forEach((inner) => this.#statement(inner));
    else if (ts.isVariableStatement(node)) this.#declare(node.declarationList);
    else if (ts.isExpressionStatement(node)) this.#dropped(node.expression);
    else if (ts.isIfStatement(node)) this.#if(node);
    else if (ts.isWhileStatement(node)) this.#loop(node.expression, node.statement);
    else if (ts.isForStatement(node)) this.#for(node);
    else if (ts.isReturnStatement(node)) this.#return(node);
    else if (ts.isContinueStatement(node))
      this.#continues.push(this.#emit({ op: 'jump', to: NaN }));
    else throw unknown(node);
  }

  #declare(list: ts.VariableDeclarationList): void {
    for (const { name, initializer } of list.declarations) {
      if (!initializer) throw unknown(name);
      this.#expression(initializer);
      this.#emit({ op: 'set', slot: this.#slotOf(name.getText()) });
    }
  }

  #dropped(expression: ts.Expression): void {
    this.#expression(expression);
    this.#emit({ op: 'drop' });
  }

  #if({ expression, thenStatement, elseStatement }: ts.IfStatement): void {
    this.#expression(expression);
    const toElse = this.#emit({ op: 'jump_if_zero', to: NaN });
    this.#statement(thenStatement);
    if (!elseStatement) {
      toElse.to = this.code.length;
      return;
    }
    const toEnd = this.#emit({ op: 'jump', to: NaN });
    toElse.to = this.code.length;
    this.#statement(elseStatement);
    toEnd.to = this.code.length;
  }

  #for({ initializer, condition, incrementor, statement }: ts.ForStatement): void {
    if (!initializer || !ts.isVariableDeclarationList(initializer)) throw unknown(statement);
    this.#declare(initializer);
    this.#loop(condition, statement, incrementor);
  }

  #loop(
    condition: ts.Expression | undefined,
    body: ts.Statement,
    incrementor?: ts.Expression,
  ): void {
    const outer = this.#continues;
    this.#continues = [];
    const top = this.code.length;
    if (condition) this.#expression(condition);
    else this.#emit({ op: 'push', value: 1 });
    const toEnd = this.#emit({ op: 'jump_if_zero', to: NaN });
    this.#statement(body);
    for (const jump of this.#continues) jump.to = this.code.length;
    if (incrementor) this.#dropped(incrementor);
    this.#emit({ op: 'jump', to: top });
    toEnd.to = this.code.length;
    this.#continues = outer;
  }

  #return({ expression }: ts.ReturnStatement): void {
    if (expression) this.#expression(expression);
    else this.#emit({ op: 'push', value: 0 });
    this.#emit({ op: 'return' });
  }

  /** Leaves exactly one value on the stack. */
  #expression(node: ts.Expression): void {
    if (ts.isParenthesizedExpression(node)) this.#expression(node.expression);
    else if (ts.isNumericLiteral(node)) this.#push(Number(node.text.replaceAll('_', '')));
    else if (node.kind === ts.SyntaxKind.TrueKeyword) this.#push(1);
    else if (ts.isIdentifier(node)) this.#read(node);
    else if (ts.isPrefixUnaryExpression(node)) this.#prefix(node);
    else if (ts.isPostfixUnaryExpression(node)) this.#increment(node);
    else if (ts.isConditionalExpression(node)) this.#conditional(node);
    else if (ts.isBinaryExpression(node)) this.#binary(node);
    else if (ts.isCallExpression(node)) this.#call(node);
    else throw unknown(node);
  }

  #push(value: number): void {
    this.#emit({ op: 'push', value });
  }

  #read(node: ts.Identifier): void {
    const slot = this.#slots.get(node.text);
    const index = this.#globalIndex.get(node.text);
    const value = this.#constants.get(node.text);
    if (slot !== undefined) this.#emit({ op: 'get', slot });
    else if (index !== undefined) this.#emit({ op: 'get_global', index });
    else if (value !== undefined) this.#push(value);
    else throw unknown(node);
  }

  #write(node: ts.Expression): void {
    const slot = this.#slots.get(node.getText());
    const index = this.#globalIndex.get(node.getText());
    if (slot !== undefined) this.#emit({ op: 'set', slot });
    else if (index !== undefined) this.#emit({ op: 'set_global', index });
    else throw unknown(node);
  }

  #prefix({ operator, operand }: ts.PrefixUnaryExpression): void {
    this.#push(0);
    this.#expression(operand);
    if (operator === ts.SyntaxKind.MinusToken) this.#emit({ op: 'binary', operator: '-' });
    else if (operator === ts.SyntaxKind.ExclamationToken)
      this.#emit({ op: 'binary', operator: '==' });
    else throw unknown(operand);
  }

  /** `x++`, whose value is that before. */
  #increment({ operator, operand }: ts.PostfixUnaryExpression): void {
    if (operator !== ts.SyntaxKind.PlusPlusToken) throw unknown(operand);
    this.#expression(operand);
    this.#expression(operand);
    this.#push(1);
    this.#emit({ op: 'binary', operator: '+' });
    this.#write(operand);
  }

  #conditional({ condition, whenTrue, whenFalse }: ts.ConditionalExpression): void {
    this.#expression(condition);
    const toFalse = this.#emit({ op: 'jump_if_zero', to: NaN });
    this.#expression(whenTrue);
    const toEnd = this.#emit({ op: 'jump', to: NaN });
    toFalse.to = this.code.length;
    this.#expression(whenFalse);
    toEnd.to = this.code.length;
  }

  #binary({ left, operatorToken, right }: ts.BinaryExpression): void {
    const { kind } = operatorToken;
    const assigns = kind === ts.SyntaxKind.EqualsToken || ASSIGNMENTS[kind] !== undefined;
    const operator = ASSIGNMENTS[kind] ?? OPERATORS[kind];
    if (kind === ts.SyntaxKind.BarBarToken || kind === ts.SyntaxKind.AmpersandAmpersandToken) {
      this.#logical(left, right, kind === ts.SyntaxKind.BarBarToken);
      return;
    }
    if (!assigns || operator) this.#expression(left);
    this.#expression(right);
    if (operator) this.#emit({ op: 'binary', operator });
    else if (!assigns) throw unknown(operatorToken);
    if (!assigns) return;
    this.#write(left);
    this.#expression(left);
  }

  /** `left || right` or `left && right`, without evaluating `right` if `left` decides. */
  #logical(left: ts.Expression, right: ts.Expression, isOr: boolean): void {
    this.#expression(left);
    const toZero = this.#emit({ op: 'jump_if_zero', to: NaN });
    if (isOr) this.#push(1);
    else this.#expression(right);
    const toEnd = this.#emit({ op: 'jump', to: NaN });
    toZero.to = this.code.length;
    if (isOr) this.#expression(right);
    else this.#push(0);
    toEnd.to = this.code.length;
  }

  #call(node: ts.CallExpression): void {
    const name = node.expression.getText();
    const operands = node.arguments.length;
    if (name === 'unreachable' || name === 'halt') {
      this.#emit({ op: 'end', trapped: name === 'unreachable' });
      this.#push(0);
      return;
    }
    node.arguments.forEach((argument) => this.#expression(argument));
    const operation = SHARED[name];
    if (name === 'call_indirect') this.#emit({ op: 'call_kernel' });
    else if (operation) this.#emit({ op: 'shared', operation, operands });
    else this.#emit({ op: 'call', name, operands });
  }
}

function unknown(node: ts.Node): Error {
  return new Error(
    `The model checker does not know ${ts.SyntaxKind[node.kind]}: ${node.getText()}`,
  );
}
