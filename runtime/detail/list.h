// An intrusive doubly linked list: O(1) everywhere, no allocation. An object is in one list of each
// Tag at most.
//
// Ownership: the list owns nothing. An object leaves its lists before it dies (checked).
// Threads:   one.
#pragma once

#include <type_traits>

#include "wharf/runtime/base/check.h"

namespace wharf::runtime::detail {

template <class T, class Tag>
class List;

template <class Tag>
class ListNode {
 public:
  ListNode() noexcept = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

 protected:
  ~ListNode() { WHARF_CHECK(next_ == nullptr, "something was destroyed that a list still holds"); }

 private:
  template <class, class>
  friend class List;
  bool linked() const noexcept { return next_ != nullptr; }

  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

template <class T, class Tag>
class List {
  using Node = ListNode<Tag>;

 public:
  List() noexcept { head_.previous_ = head_.next_ = &head_; }
  ~List() {
    WHARF_CHECK(empty(), "a list was destroyed that still holds something");
    head_.previous_ = head_.next_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }
  // Null at the end.
  T* first() noexcept { return object(head_.next_); }
  T* next(T& item) noexcept { return object(static_cast<Node&>(item).next_); }

  static bool linked(const T& item) noexcept { return static_cast<const Node&>(item).linked(); }

  void push_back(T& item) noexcept {
    Node& node = item;
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }
  // From whichever list of this kind holds it.
  static void remove(T& item) noexcept {
    Node& node = item;
    node.previous_->next_ = node.next_;
    node.next_->previous_ = node.previous_;
    node.previous_ = node.next_ = nullptr;
  }
  T* pop_front() noexcept {
    T* item = first();
    if (item != nullptr) remove(*item);
    return item;
  }
  // Puts all that `other` holds at the end of this list.
  void take_all(List& other) noexcept {
    if (other.empty()) return;
    Node* first = other.head_.next_;
    Node* last = other.head_.previous_;
    other.head_.previous_ = other.head_.next_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }

 private:
  T* object(Node* node) noexcept { return node == &head_ ? nullptr : &static_cast<T&>(*node); }

  struct Head : Node {};
  Head head_;
};

}  // namespace wharf::runtime::detail
