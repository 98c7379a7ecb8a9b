//! JavaScript: modules, and scripts of the old kind.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, CallExpression, ExportAllDeclaration, ExportFromDeclaration, Expression, ImportDeclaration,
    ImportExpression, NewExpression, Program, StringLiteral,
};
use oxc_ast_visit::{Visit, walk};
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions, LegalComment};
use oxc_minifier::{CompressOptions, CompressOptionsUnused, MangleOptions, Minifier, MinifierOptions};
use oxc_parser::{Parser, ParserReturn};
use oxc_span::{SourceType, Span};
use parcel_sourcemap::SourceMap;

use crate::error::{Flaw, Found, line_of};
use crate::format::Rename;
use crate::format::css::Minified;
use crate::reference::{Kind, Reference};

/// How a script names its source map (ECMA-426, section 11.1).
const MAP_COMMENT: &str = "//# sourceMappingURL=";

/// Modules that it imports, files that it names by `new URL("…", import.meta.url)` as the loader
/// of a Wasm does, and its source map last.
pub(crate) fn references(source: &str) -> Result<Vec<Reference>, Found> {
    let (body, map) = split_map(source);
    let allocator = Allocator::default();
    let mut found: Vec<Reference> =
        places(&parse(&allocator, body)?.program).into_iter().map(|place| place.reference(body)).collect();
    if let Some(url) = map {
        found.push(Reference { url: url.to_owned(), line: line_of(source, body.len()), kind: Kind::Loaded });
    }
    Ok(found)
}

/// The script with other URLs, and as short as it gets. `map` is how `source` was made from
/// something else.
pub(crate) fn minify(source: &str, map: Option<&str>, rename: Rename<'_>) -> Result<Minified, Found> {
    let renamed = renamed(source, rename)?;
    let allocator = Allocator::default();
    let ParserReturn { mut program, module_record, .. } = parse(&allocator, &renamed)?;
    // Without such syntax it may be a script of the old kind, whose names are everybody's.
    let is_module = module_record.has_module_syntax;
    let options = MinifierOptions {
        mangle: Some(MangleOptions { top_level: Some(is_module), ..MangleOptions::default() }),
        compress: Some(CompressOptions {
            unused: if is_module { CompressOptionsUnused::Remove } else { CompressOptionsUnused::Keep },
            ..CompressOptions::smallest()
        }),
        ..MinifierOptions::default()
    };
    let minified = Minifier::new(options).minify(&allocator, &mut program);
    let printed = Codegen::new()
        .with_options(CodegenOptions {
            minify: true,
            // What a licence asks to be kept.
            comments: CommentOptions { legal: LegalComment::Inline, ..CommentOptions::disabled() },
            source_map_path: map.map(|_| "source.js".into()),
            ..CodegenOptions::default()
        })
        .with_scoping(minified.scoping)
        .build(&program);
    let map = match (printed.map, map) {
        (Some(own), Some(earlier)) => {
            let mut own = SourceMap::from_json("/", &own.to_json_string())
                .map_err(|error| Found::somewhere(syntax(&error)))?;
            Some(super::source_map::compose(&mut own, earlier)?)
        }
        _ => None,
    };
    Ok(Minified { code: printed.code, map })
}

/// The script with other URLs, its last line without the comment that names a map.
pub(crate) fn renamed(source: &str, rename: Rename<'_>) -> Result<String, Found> {
    let (body, _) = split_map(source);
    let allocator = Allocator::default();
    let mut text = String::with_capacity(body.len());
    let mut done = 0;
    for place in places(&parse(&allocator, body)?.program) {
        let Some(other) = rename(&place.reference(body)) else { continue };
        let (start, end) = (place.span.start as usize, place.span.end as usize);
        text.push_str(&body[done..start]);
        // A path of an asset has nothing that a JavaScript string would escape.
        text.push_str(&format!("{other:?}"));
        done = end;
    }
    text.push_str(&body[done..]);
    Ok(text)
}

fn split_map(source: &str) -> (&str, Option<&str>) {
    let trimmed = source.trim_end();
    let last = trimmed.rfind('\n').map_or(0, |newline| newline + 1);
    match trimmed[last..].strip_prefix(MAP_COMMENT) {
        Some(url) => (&source[..last], Some(url.trim())),
        None => (source, None),
    }
}

/// The comment that names a source map.
pub(crate) fn map_comment(url: &str) -> String {
    format!("\n{MAP_COMMENT}{url}")
}

fn parse<'a>(allocator: &'a Allocator, source: &'a str) -> Result<ParserReturn<'a>, Found> {
    let module = Parser::new(allocator, source, SourceType::mjs()).parse();
    if is_good(&module) {
        return Ok(module);
    }
    // What is no module may be a script from before there were any.
    let script = Parser::new(allocator, source, SourceType::script()).parse();
    if is_good(&script) {
        return Ok(script);
    }
    let Some(diagnostic) = module.diagnostics.iter().next() else {
        return Err(Found::somewhere(syntax(&"it can't be parsed")));
    };
    let line = diagnostic.labels.first().map(|label| line_of(source, label.offset() as usize));
    Err(Found { line, flaw: syntax(&diagnostic.message) })
}

fn is_good(parsed: &ParserReturn<'_>) -> bool {
    !parsed.panicked && parsed.diagnostics.is_empty()
}

fn syntax(reason: &impl ToString) -> Flaw {
    Flaw::Syntax { language: "JavaScript", reason: reason.to_string() }
}

/// A string that names a file.
struct Place {
    url: String,
    /// With its quotes.
    span: Span,
    kind: Kind,
}

impl Place {
    fn reference(&self, source: &str) -> Reference {
        Reference { url: self.url.clone(), line: line_of(source, self.span.start as usize), kind: self.kind }
    }
}

fn places(program: &Program<'_>) -> Vec<Place> {
    let mut walk = Walk::default();
    walk.visit_program(program);
    // An import inside the options of another one is seen after it.
    walk.0.sort_by_key(|place| place.span.start);
    walk.0
}

#[derive(Default)]
struct Walk(Vec<Place>);

impl Walk {
    fn meet(&mut self, literal: &StringLiteral<'_>, kind: Kind) {
        self.0.push(Place { url: literal.value.to_string(), span: literal.span, kind });
    }
}

impl<'a> Visit<'a> for Walk {
    fn visit_import_declaration(&mut self, declaration: &ImportDeclaration<'a>) {
        self.meet(&declaration.source, Kind::Imported);
        walk::walk_import_declaration(self, declaration);
    }

    fn visit_export_all_declaration(&mut self, declaration: &ExportAllDeclaration<'a>) {
        self.meet(&declaration.source, Kind::Imported);
        walk::walk_export_all_declaration(self, declaration);
    }

    fn visit_export_from_declaration(&mut self, declaration: &ExportFromDeclaration<'a>) {
        self.meet(&declaration.source, Kind::Imported);
        walk::walk_export_from_declaration(self, declaration);
    }

    fn visit_import_expression(&mut self, expression: &ImportExpression<'a>) {
        if let Expression::StringLiteral(literal) = &expression.source {
            self.meet(literal, Kind::Imported);
        }
        walk::walk_import_expression(self, expression);
    }

    /// `new URL("…", import.meta.url)`.
    fn visit_new_expression(&mut self, expression: &NewExpression<'a>) {
        if let Expression::Identifier(callee) = &expression.callee
            && callee.name == "URL"
            && let [Argument::StringLiteral(literal), Argument::StaticMemberExpression(base)] =
                &expression.arguments[..]
            && base.property.name == "url"
            && matches!(base.object, Expression::ImportMeta(_))
        {
            // From the root it may be a route of a server.
            self.meet(literal, if literal.value.starts_with('/') { Kind::Linked } else { Kind::Loaded });
        }
        walk::walk_new_expression(self, expression);
    }

    /// `import.meta.resolve("…")`.
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Expression::StaticMemberExpression(callee) = &call.callee
            && callee.property.name == "resolve"
            && matches!(callee.object, Expression::ImportMeta(_))
            && let [Argument::StringLiteral(literal)] = &call.arguments[..]
        {
            self.meet(literal, Kind::Imported);
        }
        walk::walk_call_expression(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(source: &str) -> Vec<(String, u32)> {
        references(source).unwrap().into_iter().map(|found| (found.url, found.line)).collect()
    }

    fn check(source: &str, expected: &[&str]) {
        let found: Vec<String> = urls(source).into_iter().map(|(url, _)| url).collect();
        assert_eq!(found, expected, "{source}");
    }

    fn minified(source: &str) -> String {
        minify(source, None, &|found| Some(format!("/assets/{}", found.url.trim_start_matches("./"))))
            .unwrap()
            .code
    }

    #[test]
    fn every_way_to_import_is_found() {
        check(
            "import './a.js'; import b, { c } from \"./b.js\"; import * as d from './d.js';",
            &["./a.js", "./b.js", "./d.js"],
        );
        check("export * from './a.js'; export { b } from './b.js';", &["./a.js", "./b.js"]);
        check("const a = () => import('./a.js');", &["./a.js"]);
        check("const a = import.meta.resolve('./a.js');", &["./a.js"]);
        check("const wasm = new URL('app_bg.wasm', import.meta.url);", &["app_bg.wasm"]);
        check("new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });", &["./worker.js"]);
    }

    #[test]
    fn what_only_looks_like_an_import_is_none() {
        check("// import './a.js'\nconst text = \"import './b.js'\"; const c = `import('./c.js')`;", &[]);
        check("new URL('a.png', location.href); import(name); new URL(name, import.meta.url);", &[]);
    }

    #[test]
    fn a_reference_knows_its_line() {
        assert_eq!(urls("\n\nimport './a.js';\n"), [("./a.js".to_owned(), 3)]);
    }

    #[test]
    fn the_source_map_is_a_reference_of_its_own() {
        assert_eq!(urls("let a;\n//# sourceMappingURL=a.js.map\n"), [("a.js.map".to_owned(), 2)]);
    }

    #[test]
    fn a_script_is_renamed_and_shortened() {
        let source = "import { greet } from './a.js';\n// a comment\nfunction unused(long) { return long + 1 }\nexport const hello = () => greet('you' + '!');\n";
        assert_eq!(
            minified(source),
            "import{greet as e}from\"/assets/a.js\";export const hello=()=>e(`you!`);"
        );
    }

    #[test]
    fn licences_stay() {
        assert!(minified("/*! MIT */\nexport const a = 1; /* gone */").contains("/*! MIT */"));
    }

    #[test]
    fn names_that_others_see_stay() {
        let script = minified("var shared = 1; function other(argument) { return argument + shared }");
        assert!(script.contains("shared") && script.contains("other"), "{script}");
        assert!(minified("export function greet() {}").contains("greet"));
    }

    #[test]
    fn what_is_not_javascript_is_refused_with_its_line() {
        let found = references("let a = 1;\nlet b = ;\n").unwrap_err();
        assert_eq!(found.line, Some(2));
        assert!(found.flaw.to_string().starts_with("not valid JavaScript: "), "{}", found.flaw);
    }

    #[test]
    fn a_map_leads_on_to_what_the_source_was_made_from() {
        // One token: line 1, column 0 comes from line 1, column 0 of main.ts.
        let earlier = r#"{"version":3,"sources":["main.ts"],"sourcesContent":["let answer: number = 42"],"names":[],"mappings":"AAAA"}"#;
        let minified =
            minify("globalThis.answer = 42;\n//# sourceMappingURL=a.js.map", Some(earlier), &|_| None)
                .unwrap();
        let map: serde_json::Value = serde_json::from_str(&minified.map.unwrap()).unwrap();
        assert!(map["sources"].as_array().unwrap().contains(&"main.ts".into()), "{map}");
        assert!(!map["mappings"].as_str().unwrap().is_empty());
    }
}
