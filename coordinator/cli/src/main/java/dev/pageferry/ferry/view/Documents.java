package dev.pageferry.ferry.view;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import java.util.List;
import java.util.Map;

/** Documents of commands that ask no coordinator: no message of the protocol describes them. */
final class Documents {
  private Documents() {
  }

  /** A document with one list of things, whose properties are truth values or have texts. */
  static Struct list(String name, List<Map<String, Object>> things) {
    ListValue.Builder list = ListValue.newBuilder();
    for (Map<String, Object> each : things) {
      Struct.Builder thing = Struct.newBuilder();
      each.forEach((key, value) -> thing.putFields(key, value(value)));
      list.addValues(Value.newBuilder().setStructValue(thing));
    }
    return Struct.newBuilder().putFields(name, Value.newBuilder().setListValue(list).build()).build();
  }

  /** The names of the things of such a document, or what they are called by instead. */
  static List<String> names(Struct document) {
    return document.getFieldsMap().values().stream().flatMap(list -> list.getListValue().getValuesList().stream())
        .map(each -> each.getStructValue().getFieldsMap()).flatMap(each -> List.of("name", "member").stream()
            .filter(each::containsKey).map(each::get).limit(1))
        .map(Value::getStringValue).filter(each -> !each.isEmpty()).toList();
  }

  private static Value value(Object value) {
    return value instanceof Boolean truth
        ? Value.newBuilder().setBoolValue(truth).build()
        : Value.newBuilder().setStringValue(value.toString()).build();
  }
}
