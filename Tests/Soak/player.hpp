/* An engine under load: requests come and go at random, and every event is booked. */
#ifndef RALLY_SOAK_PLAYER_HPP
#define RALLY_SOAK_PLAYER_HPP

#include "judge.hpp"
#include <atomic>
#include <chrono>
#include <map>

namespace soak {

class Player {
 public:
  struct Settings {
    std::string name;
    rally_engine_options options;
    uint64_t seed;
    size_t longest_prompt, longest_text;
    bool has_visitor; /* another thread submits and cancels; else the driver does, before each step */
  };

  Player(const rally::Model &model, const Settings &settings, Judge &judge, Failures &failures)
      : settings_(settings),
        judge_(judge),
        failures_(failures),
        info_(model.info()),
        plans_(model, settings.seed, settings.longest_prompt, settings.longest_text),
        engine_(model, settings.options),
        random_(settings.seed + 1) {
    driver_ = std::thread([this] { drive(); });
    if (settings.has_visitor) visitor_ = std::thread([this] { visit(); });
  }

  /* No more requests; waits until all have ended. */
  void finish() {
    closing_ = true;
    if (visitor_.joinable()) visitor_.join();
    drained_ = true;
    driver_.join();
    check_counters();
  }

  /* Now; from any thread. */
  std::map<std::string, double> counters() { return engine_.counters(); }

  void report() {
    const auto &c = counters_;
    std::printf(
        "%s: %zu submitted, %zu finished, %zu cancelled, %zu moved; %.0f tokens, %.0f of prompts computed, %.0f shared; "
        "%.0f passes of %.1f rows; %.0f preemptions\n",
        settings_.name.c_str(), submitted_, ended_ - cancelled_, cancelled_, restored_, c.at("generated_tokens_total"),
        c.at("prompt_tokens_total"), c.at("prompt_tokens_shared_total"), c.at("passes_total"),
        c.at("pass_rows_total") / std::max(1.0, c.at("passes_total")), c.at("preemptions_total"));
  }

  size_t ended() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }

 private:
  struct Ticket {
    Plan plan;
    rally::Continuation text;
    bool may_be_cancelled = false;
    bool has_left = false; /* saved; goes on under another number */
  };
  struct Traveller {
    Ticket ticket;
    std::vector<unsigned char> state;
  };

  static constexpr size_t most_tickets = 24, most_backlog = 32;

  /* ---- arrivals: the driver's thread or the visitor's ---- */

  bool has_room() { return judge_.backlog() < most_backlog && tickets() + travellers_count_ < most_tickets; }
  size_t tickets() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return tickets_.size();
  }

  void arrive() {
    Ticket ticket;
    ticket.plan = plans_.make(next_number_++);
    ticket.may_be_cancelled = ticket.plan.ending != Ending::natural;
    const bool at_once = ticket.plan.ending == Ending::at_once;
    size_t id = 0;
    {
      /* Under the lock, so that no event comes before the ticket. */
      const std::lock_guard<std::mutex> lock(mutex_);
      id = engine_.submit(ticket.plan.request);
      submitted_++;
      if (!tickets_.emplace(id, std::move(ticket)).second) fail("a number was given out twice", id);
    }
    if (at_once) engine_.cancel(id);
    if (next_number_ % 200 == 0) {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (auto &each : tickets_) each.second.may_be_cancelled = true;
      engine_.cancel_all();
    }
  }

  void visit() {
    Random random(settings_.seed + 2);
    while (!closing_) {
      if (has_room()) arrive();
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(6000)));
    }
  }

  /* ---- the driver's thread ---- */

  void drive() {
    bool busy = true;
    while (!drained_ || busy || !travellers_.empty()) {
      if (!settings_.has_visitor && !closing_ && random_.chance(0.3) && has_room()) arrive();
      restore();
      try {
        busy = engine_.step([this](const rally_event &event) { return take(event); });
      } catch (const rally::Error &error) {
        failures_.add(settings_.name + ": a step failed: " + error.what());
        return;
      }
      for (const size_t id : leaving_) save(id);
      leaving_.clear();
      for (const size_t id : cancelling_) engine_.cancel(id);
      cancelling_.clear();
      if (!busy) std::this_thread::sleep_for(std::chrono::microseconds(200));
      if (++steps_ % 256 == 0) check_growth();
    }
    counters_ = engine_.counters();
  }

  rally::Go take(const rally_event &event) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = tickets_.find(event.request);
    if (found == tickets_.end()) {
      fail("an event for no request, or after the end", event.request);
      return rally::Go::on;
    }
    Ticket &ticket = found->second;
    auto &text = ticket.text;
    if (event.index != text.tokens.size()) fail("a token was lost or came twice", event.request);
    if (event.token >= 0) {
      if (ticket.has_left) fail("a token after the cancellation", event.request);
      check(event, ticket);
      text.tokens.push_back(event.token);
      text.depths.push_back(event.depth);
      text.logprobs.push_back(event.logprob);
      generated_++;
    } else if (event.finish_reason != RALLY_FINISH_CANCELLED) {
      fail("an end without a token", event.request);
    }
    text.finish_reason = event.finish_reason;
    if (event.finish_reason != RALLY_NOT_FINISHED) {
      end(found);
      return rally::Go::on;
    }
    if (text.tokens.size() == ticket.plan.ends_after) {
      if (ticket.plan.ending == Ending::by_reply) return rally::Go::end_sequence;
      if (ticket.plan.ending == Ending::by_cancel) cancelling_.push_back(event.request);
      if (ticket.plan.travels) leaving_.push_back(event.request);
    }
    return rally::Go::on;
  }

  void check(const rally_event &event, const Ticket &ticket) {
    const auto &request = ticket.plan.request;
    if (event.token >= info_.vocab_size || !(event.logprob <= 0) || event.depth < 0 || event.depth > info_.num_recursion)
      fail("an event out of range", event.request);
    if (request.max_depth != 0 && event.depth > static_cast<int32_t>(request.max_depth))
      fail("a token too deep", event.request);
    if (event.top_count != request.top_logprobs) fail("another number of most probable tokens", event.request);
    for (size_t i = 1; i < event.top_count; i++)
      if (event.top_logprobs[i] > event.top_logprobs[i - 1]) fail("most probable tokens out of order", event.request);
  }

  void end(std::map<size_t, Ticket>::iterator place) {
    Ticket ticket = std::move(place->second);
    ended_++;
    if (ticket.text.finish_reason == RALLY_FINISH_CANCELLED) {
      cancelled_++;
      if (!ticket.may_be_cancelled) fail("cancelled without a cause", place->first);
    }
    tickets_.erase(place);
    if (!ticket.has_left) judge_.submit({settings_.name, std::move(ticket.plan), std::move(ticket.text)});
  }

  /* Saves a sequence between two steps and cancels it; it goes on in `restore`. */
  void save(size_t id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = tickets_.find(id);
    if (found == tickets_.end()) return;
    Traveller traveller{found->second, engine_.save(id)};
    traveller.ticket.plan.travels = false;
    traveller.ticket.may_be_cancelled = false;
    found->second.has_left = found->second.may_be_cancelled = true;
    engine_.cancel(id);
    travellers_.push_back(std::move(traveller));
    travellers_count_ = travellers_.size();
  }

  void restore() {
    if (travellers_.empty()) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    Traveller &first = travellers_.front();
    rally::Request rest = first.ticket.plan.request;
    rest.tokens.clear();
    try {
      const size_t id = engine_.restore(first.state, rest);
      tickets_.emplace(id, std::move(first.ticket));
      restored_++;
      travellers_.pop_front();
      travellers_count_ = travellers_.size();
    } catch (const rally::Error &error) {
      if (error.code() != RALLY_LIMIT_EXCEEDED) throw;
    }
  }

  /* ---- counters ---- */

  void check_growth() {
    const auto now = engine_.counters();
    for (const auto &counter : now) {
      const std::string &name = counter.first;
      const bool only_grows = name.size() > 6 && name.compare(name.size() - 6, 6, "_total") == 0;
      const auto before = counters_.find(name);
      if (only_grows && before != counters_.end() && counter.second < before->second)
        failures_.add(settings_.name + ": " + name + " fell");
    }
    if (now.at("blocks_used") > now.at("blocks")) failures_.add(settings_.name + ": more blocks are used than there are");
    counters_ = now;
  }

  void check_counters() {
    const auto expect = [this](const char *name, double expected) {
      if (counters_.at(name) != expected)
        failures_.add(settings_.name + ": " + name + " is " + std::to_string(counters_.at(name)) + ", not "
                      + std::to_string(expected));
    };
    expect("requests_submitted_total", static_cast<double>(submitted_ + restored_));
    expect("requests_finished_total", static_cast<double>(submitted_ + restored_));
    expect("requests_cancelled_total", static_cast<double>(cancelled_));
    expect("generated_tokens_total", static_cast<double>(generated_));
    expect("requests_waiting", 0);
    expect("requests_running", 0);
    if (ended_ != submitted_ + restored_ || !tickets_.empty()) failures_.add(settings_.name + ": requests were lost");
    double by_depth = 0;
    for (int32_t depth = 0; depth <= info_.num_recursion; depth++)
      by_depth += counters_.at("tokens_depth_" + std::to_string(depth) + "_total");
    if (by_depth < counters_.at("prompt_tokens_total")) failures_.add(settings_.name + ": tokens by depth are too few");
  }

  void fail(const std::string &what, size_t id) {
    failures_.add(settings_.name + ": " + what + ", number " + std::to_string(id));
  }

  const Settings settings_;
  Judge &judge_;
  Failures &failures_;
  const rally_model_info info_;
  const Plans plans_;
  rally::Engine engine_;
  std::atomic<bool> closing_{false}, drained_{false};
  std::atomic<size_t> travellers_count_{0};

  std::mutex mutex_; /* of what stands up to the next comment */
  std::map<size_t, Ticket> tickets_;
  size_t submitted_ = 0, ended_ = 0, cancelled_ = 0, restored_ = 0, generated_ = 0;

  /* The driver's own; next_number_ is of whoever lets requests arrive. */
  Random random_;
  uint64_t next_number_ = 0, steps_ = 0;
  std::deque<Traveller> travellers_;
  std::vector<size_t> leaving_, cancelling_;
  std::map<std::string, double> counters_;
  std::thread driver_, visitor_;
};

}  // namespace soak

#endif
