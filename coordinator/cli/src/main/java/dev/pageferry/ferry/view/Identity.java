package dev.pageferry.ferry.view;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.Struct;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What a script calls things by: the name of a VM or disk, the id of a host or migration. */
final class Identity {
  private static final List<String> FIELDS = List.of("name", "id");

  private Identity() {
  }

  /** The identity of a thing, or those of all that a list holds; empty: the document is about nothing that has one. */
  static List<String> of(Message document) {
    if (document instanceof Struct struct) {
      return Documents.names(struct);
    }
    Optional<String> own = own(document);
    return own.isPresent()
        ? List.of(own.get())
        : document.getDescriptorForType().getFields().stream().filter(Identity::isListOfMessages)
            .flatMap(field -> elements(document, field)).flatMap(each -> own(each).stream()).toList();
  }

  private static Optional<String> own(Message message) {
    return FIELDS.stream().map(message.getDescriptorForType()::findFieldByName).flatMap(Stream::ofNullable).findFirst()
        .map(field -> String.valueOf(message.getField(field)));
  }

  private static boolean isListOfMessages(FieldDescriptor field) {
    return field.isRepeated() && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE && !field.isMapField();
  }

  private static Stream<Message> elements(Message document, FieldDescriptor field) {
    return ((List<?>) document.getField(field)).stream().map(Message.class::cast);
  }
}
