import Templates
import Testing

private let chat: [TemplateValue] = [message("system", " Be brief. "), message("user", "a < b & 'c'\n")]

private func message(_ role: String, _ content: String) -> TemplateValue {
  .object([.init("role", .string(role)), .init("content", .string(content))])
}

private func render(_ source: String) throws(TemplateError) -> String {
  try Template(source).render([
    "messages": .list(chat), "add_generation_prompt": .bool(true), "bos_token": .string("<s>"), "tools": .none,
  ])
}

/// Expected texts are Jinja's own, with `trim_blocks` and `lstrip_blocks`.
@Suite struct TemplateTests {
  @Test(arguments: [
    ("{% for m in messages %}<{{ m['role'] }}>{{ m.content | trim }}{% endfor %}", "<system>Be brief.<user>a < b & 'c'"),
    ("  {% if true %}  \n a\n  {%- endif %} \n b {# c #}\n  {# d #}\n  e {{ 1 }}\n {{- 2 }} \n", "  \n a \n b   e 12 "),
    ("{%- for m in messages -%} [{{ loop.index }}/{{ loop.length }}] {%- endfor -%}  \n z", "[1/2][2/2]z"),
    ("{% set x %}a{{ 1+2*3 }}{% endset %}{{ x ~ 1.5 ~ true ~ none }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 7 / 2 }}", "a71.5TrueNone|-4|2|3.5"),
    ("{{ 'abc'[::-1] }}{{ 'abc'[-2:] }}{{ messages[1:]|length }}{{ messages[5] is defined }}", "cbabc1False"),
    (
      "{% set n = namespace(a=1) %}{% for i in range(3) %}{% set n.a = n.a + i %}{% set q = 5 %}{% endfor %}{{ n.a }}{{ q is defined }}",
      "4False"
    ),
    ("{% for i in range(5) if i != 2 %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}", "013"),
    ("{{ [1, 'a\"', none, true]|tojson }}{{ {'a': 'é'}|tojson }}", "[1, \"a\\\"\", null, true]{\"a\": \"é\"}"),
    (
      "{{ 'x</think>y'.split('</think>')[-1].lstrip('\\n') if '</think>' in 'x</think>y' else 'n' }}{{ 'aXbX'.replace('X', '-') }}", "ya-b-"
    ),
    ("{{ missing }}{{ missing|default('d') }}{{ ''|default('e', true) }}{{ tools is not none }}", "deFalse"),
    (
      "{% generation %}a{% endgeneration %}{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}",
      "arole=system;content= Be brief. ;"
    ),
  ])
  func writes(source: String, expected: String) throws { #expect(try render(source) == expected) }

  @Test(arguments: [
    ("{{ raise_exception('no system') }}", "no system"),
    ("{{ missing.part }}", "'missing' is undefined"),
    ("{% macro f() %}{% endmacro %}", "{% macro %} is not supported; known: if"),
    ("{{ 'a'|urlize }}", "the filter urlize is not supported; known: trim"),
    ("{{ 'a'.format(1) }}", "the method format of a text is not supported"),
    ("{{ cycler() }}", "the function cycler is not supported; known: namespace"),
    ("{{ 'a' + 1 }}", "'+' between a text and a number"),
    ("{{ 1 // 0 }}", "division by zero"),
    ("{% if true %}", "the template ends before {% endif %}"),
    ("{{ 'a", "ends inside of a {{ tag"),
    ("{{ 9007199254740991 + 1 }}", "too large"),
    ("{% endfor %}", "{% endfor %} is not supported"),
  ])
  func refuses(source: String, reason: String) {
    let error = #expect(throws: TemplateError.self) { try render(source) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  /// A stranger's template ends, whatever it does.
  @Test(arguments: [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% set n = namespace(t='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
    "{% set n = namespace(t=[1]) %}{% for i in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}",
    "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + " }}",
    "{{ " + String(repeating: "[", count: 900) + " }}",
    "{{ " + String(repeating: "not ", count: 2000) + "1 }}",
    "{{ 1" + String(repeating: " + 1", count: 5000) + " }}",
    "{{ 'a'" + String(repeating: "|trim", count: 300) + " }}",
    String(repeating: "{% if true %}", count: 5000),
  ])
  func ends(source: String) { #expect(throws: TemplateError.self) { try render(source) } }
}
