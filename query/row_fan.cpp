#include "query/row_fan.h"

namespace pipit {
namespace {

/// Bytes beside the values.
std::size_t extra_bytes(const Block& rows) {
  std::size_t bytes = sizeof(Block) + rows.rows() * rows.words() * sizeof(MaskWord);
  for (std::size_t row = 0; row < rows.rows(); ++row) bytes += sizeof(RowLabels) + bytes_of(rows.labels(row).labels);
  return bytes;
}

}  // namespace

class RowFan::Reader : public Operator {
 public:
  Reader(std::shared_ptr<RowFan> fan, std::size_t number) : fan_(std::move(fan)), number_(number) {}
  ~Reader() override { fan_->close(number_); }

  bool next(Block& out) override {
    if (!own_ && fan_->readers_[number_]->is_alone) own_ = fan_->alone(number_);
    return own_ ? own_->next(out) : fan_->next(number_, out);
  }

 private:
  std::shared_ptr<RowFan> fan_;
  std::size_t number_;
  OperatorPtr own_;
};

RowFan::RowFan(QueryContext& context) : context_(context) { context_.add_reclaimable(*this); }

RowFan::~RowFan() { context_.remove_reclaimable(*this); }

OperatorPtr RowFan::reader(std::size_t number) { return std::make_unique<Reader>(shared_from_this(), number); }

void RowFan::close(std::size_t number) {
  State& state = *readers_[number];
  state.closed = true;
  state.kept.clear();
  state.held.clear();
}

/// REQUIRES: it has not begun.
void RowFan::give_up(State& state) {
  state.is_alone = true;
  state.kept.clear();
  state.held.clear();
}

void RowFan::reclaim() {
  for (auto& state : readers_) {
    if (!state->begun && !state->closed && state->held.cells() != 0) give_up(*state);
  }
}

std::size_t RowFan::add_reader() {
  readers_.push_back(std::make_unique<State>(context_));
  return readers_.size() - 1;
}

bool RowFan::wants(std::size_t number) const {
  const State& state = *readers_[number];
  return !state.closed && !state.is_alone;
}

bool RowFan::others_want() const {
  for (std::size_t number = 0; number < readers_.size(); ++number) {
    if (number != asking_ && wants(number)) return true;
  }
  return false;
}

void RowFan::give(std::size_t number, std::shared_ptr<Block> rows) {
  State& state = *readers_[number];
  if (!wants(number) || rows->empty()) return;  // no operator hands on a block without rows
  Kept kept{std::move(rows)};
  if (number != asking_) {
    kept.cells = kept.rows->rows() * kept.rows->steps();
    kept.bytes = extra_bytes(*kept.rows);
    if (!state.begun && !context_.may_keep(state.held.cells() + kept.cells)) return give_up(state);
    if (!state.held.add(kept.cells, kept.bytes) || state.is_alone) return;
  }
  state.kept.push_back(std::move(kept));
}

bool RowFan::next(std::size_t number, Block& out) {
  State& state = *readers_[number];
  state.begun = true;
  while (state.kept.empty()) {
    asking_ = number;
    if (at_end_ || !context_.check()) return false;
    if (!others_want()) {
      if (Operator* source = direct()) return source->next(out);
    }
    at_end_ = !advance();
  }
  const Kept kept = std::move(state.kept.front());
  state.kept.pop_front();
  state.held.remove(kept.cells, kept.bytes);
  const auto& rows = kept.rows;
  if (rows.use_count() == 1) {
    std::swap(out, *rows);
  } else {
    out = *rows;
  }
  return true;
}

SharedRows::SharedRows(QueryContext& context, OperatorPtr source, std::size_t most_readers, Make again)
    : RowFan(context), source_(std::move(source)), again_(std::move(again)) {
  for (std::size_t i = 0; i < most_readers; ++i) add_reader();
}

OperatorPtr SharedRows::claim() { return claimed_ == readers() ? nullptr : reader(claimed_++); }

void SharedRows::close_rest() {
  while (claimed_ < readers()) close(claimed_++);
}

bool SharedRows::advance() {
  auto rows = std::make_shared<Block>();
  if (!source_->next(*rows)) {
    source_.reset();  // the threads and iterators that it has are wanted elsewhere
    return false;
  }
  for (std::size_t number = 0; number < readers(); ++number) give(number, rows);
  return true;
}

}  // namespace pipit
