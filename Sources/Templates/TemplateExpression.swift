/// An expression of a template.
indirect enum TemplateExpression: Sendable {
  case literal(TemplateValue)
  case name(String)
  case list([TemplateExpression])
  case object([(TemplateExpression, TemplateExpression)])
  case member(TemplateExpression, String)
  case item(TemplateExpression, TemplateExpression)
  case slice(TemplateExpression, from: TemplateExpression?, to: TemplateExpression?, step: TemplateExpression?)
  case call(TemplateExpression, Arguments)
  case filter(TemplateExpression, String, Arguments)
  case test(TemplateExpression, String, Arguments, negated: Bool)
  case not(TemplateExpression)
  case negative(TemplateExpression)
  case binary(String, TemplateExpression, TemplateExpression)
  case choice(TemplateExpression, when: TemplateExpression, otherwise: TemplateExpression?)

  struct Arguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(String, TemplateExpression)] = []
  }
}

/// A statement of a template.
indirect enum TemplateNode: Sendable {
  case text(String)
  case output(TemplateExpression)
  case branch([(condition: TemplateExpression?, body: [TemplateNode])])
  case loop(names: [String], over: TemplateExpression, condition: TemplateExpression?, body: [TemplateNode], otherwise: [TemplateNode])
  case set(String, member: String?, TemplateExpression)
  case setText(String, [TemplateNode])
  case leave(isContinue: Bool)
}
