package dev.pageferry.coordinator.validation;

import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationCheck.Result;
import java.util.ArrayList;
import java.util.List;

/** What a validation found, in the order in which it is read. */
final class Findings {
  private final List<ValidationCheck> all = new ArrayList<>();

  /** The checks of one category. */
  Category of(String category) {
    return new Category(category);
  }

  List<ValidationCheck> all() {
    return List.copyOf(all);
  }

  /** The worst of all. */
  Result worst() {
    if (has(Result.FAIL)) {
      return Result.FAIL;
    }
    return has(Result.WARN) ? Result.WARN : Result.PASS;
  }

  private boolean has(Result result) {
    return all.stream().anyMatch(each -> each.getResult() == result);
  }

  /** Takes down what was found in one category. Names of checks are promises to scripts. */
  final class Category {
    private final String category;

    private Category(String category) {
      this.category = category;
    }

    void pass(String check, String reason) {
      add(check, Result.PASS, List.of(), reason, "");
    }

    void warn(String check, List<String> hosts, String reason, String cure) {
      add(check, Result.WARN, hosts, reason, cure);
    }

    void fail(String check, List<String> hosts, String reason, String cure) {
      add(check, Result.FAIL, hosts, reason, cure);
    }

    void skip(String check, List<String> hosts, String reason) {
      add(check, Result.SKIPPED, hosts, reason, "");
    }

    /** Passes a check that found nothing else. */
    void passUnlessFound(String check, String reason) {
      if (all.stream().noneMatch(each -> each.getCategory().equals(category) && each.getName().equals(check))) {
        pass(check, reason);
      }
    }

    private void add(String check, Result result, List<String> hosts, String reason, String cure) {
      all.add(ValidationCheck.newBuilder().setCategory(category).setName(check).setResult(result).addAllHosts(hosts)
          .setReason(reason).setCure(cure).build());
    }
  }
}
