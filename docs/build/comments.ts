import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const schedulers = fileURLToPath(new URL('../../src/schedulers/', import.meta.url))

/** The doc comments of the classes in `src/schedulers`, by the class's name. */
export function classComments(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const file of readdirSync(schedulers)) {
    for (const statement of parse(file).statements) {
      if (ts.isClassDeclaration(statement) && statement.name) found.set(statement.name.text, commentOf(statement))
    }
  }
  return found
}

/** The doc comments of an interface's members, by the member's name. */
export function memberComments(file: string, name: string): ReadonlyMap<string, string> {
  const statement = parse(file).statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name)
  if (!statement || !ts.isInterfaceDeclaration(statement)) throw new Error(`${file} declares no interface ${name}`)
  return new Map(statement.members.map((member) => [member.name?.getText() ?? '', commentOf(member)]))
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(schedulers, file), 'utf8'), ts.ScriptTarget.Latest, true)
}

function commentOf(node: ts.Node): string {
  const text = ts
    .getJSDocCommentsAndTags(node)
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? '')
    .join('\n\n')
  if (text === '') throw new Error(`no doc comment: ${node.getText().slice(0, 80)}`)
  return text.replaceAll(/\{@link (\w+)\}/g, '`$1`')
}
