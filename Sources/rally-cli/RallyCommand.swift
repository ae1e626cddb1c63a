import ArgumentParser

@main
struct RallyCommand: ParsableCommand {}
