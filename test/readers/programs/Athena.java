import io.trino.filesystem.local.LocalInputFile;
import io.trino.hive.formats.line.*;
import io.trino.hive.formats.line.json.JsonDeserializerFactory;
import io.trino.hive.formats.line.openxjson.OpenXJsonDeserializerFactory;
import io.trino.hive.formats.line.text.TextLineReaderFactory;
import io.trino.spi.PageBuilder;
import io.trino.spi.block.Block;
import io.trino.spi.type.*;
import java.io.*;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.serde2.AbstractSerDe;
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorUtils;
import org.apache.hadoop.hive.serde2.typeinfo.*;
import org.apache.hadoop.io.Text;

/**
 * Reads folders of objects as a table, by one of the deserializers of Athena's tables: Athena LIBRARY, and on stdin for each
 * folder a line: the folder, a number of columns, the columns' names and types, properties' names and values, each as in a URL, between tabs.
 * Prints the rows of a folder as JSON arrays of their columns' values, a line each, and behind them `end` or `error` and why.
 */
public class Athena {
  interface Deserializer {
    Object[] row(LineBuffer line) throws Exception;
  }

  static final PrintStream OUT =
      new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)), false, StandardCharsets.UTF_8);

  public static void main(String[] args) throws Exception {
    System.setOut(System.err);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        String[] parts = line.split("\t", -1);
        for (int i = 0; i < parts.length; i++) parts[i] = URLDecoder.decode(parts[i].replace("+", "%2B"), StandardCharsets.UTF_8);
        read(args[0], parts);
        OUT.println("end");
      } catch (Throwable error) {
        OUT.println("error " + String.valueOf(error.getMessage()).replaceAll("\\s+", " "));
      }
      OUT.flush();
    }
  }

  static void read(String library, String[] table) throws Exception {
    var names = new ArrayList<String>();
    var types = new ArrayList<TypeInfo>();
    int at = 2;
    for (int i = 0; i < Integer.parseInt(table[1]); i++) {
      names.add(table[at++]);
      types.add(TypeInfoUtils.getTypeInfoFromTypeString(table[at++]));
    }
    var properties = new HashMap<String, String>();
    while (at < table.length) properties.put(table[at++], table[at++]);
    var deserializer = open(library, names, types, properties);
    var lines = new TextLineReaderFactory(65536, 65536, 100 << 20);
    var buffer = lines.createLineBuffer();
    var rows = new ArrayList<Object[]>();
    try (var files = Files.list(Path.of(table[0])).sorted()) {
      for (Path path : (Iterable<Path>) files::iterator) {
        try (var reader = lines.createLineReader(new LocalInputFile(path.toFile()), 0, Files.size(path), 0, 0)) {
          while (reader.readLine(buffer)) rows.add(deserializer.row(buffer));
        }
      }
    }
    for (Object[] row : rows) OUT.println(json(Arrays.asList(row)));
  }

  static Deserializer open(String library, List<String> names, List<TypeInfo> types, Map<String, String> properties)
      throws Exception {
    switch (library) {
      case "trino_openx": return trino(new OpenXJsonDeserializerFactory(), names, types, properties);
      case "trino_hive": return trino(new JsonDeserializerFactory(), names, types, properties);
      case "openx": return hive(new org.openx.data.jsonserde.JsonSerDe(), names, types, properties);
      case "hive": return hive(new org.apache.hive.hcatalog.data.JsonSerDe(), names, types, properties);
      default: throw new IllegalArgumentException(library);
    }
  }

  static Deserializer trino(
      LineDeserializerFactory factory, List<String> names, List<TypeInfo> types, Map<String, String> properties) {
    var columns = new ArrayList<Column>();
    for (int i = 0; i < names.size(); i++) columns.add(new Column(names.get(i), trinoType(types.get(i)), i));
    var deserializer = factory.create(columns, properties);
    return line -> {
      var page = new PageBuilder(deserializer.getTypes());
      deserializer.deserialize(line, page);
      var built = page.build();
      var row = new Object[columns.size()];
      for (int i = 0; i < row.length; i++) {
        Type type = columns.get(i).type();
        row[i] = named(type, type.getObjectValue(null, built.getBlock(i), 0));
      }
      return row;
    };
  }

  static Type trinoType(TypeInfo info) {
    if (info instanceof ListTypeInfo list) return new ArrayType(trinoType(list.getListElementTypeInfo()));
    if (info instanceof MapTypeInfo map)
      return new MapType(VarcharType.VARCHAR, trinoType(map.getMapValueTypeInfo()), new TypeOperators());
    if (info instanceof StructTypeInfo struct) {
      var fields = new ArrayList<RowType.Field>();
      for (String name : struct.getAllStructFieldNames())
        fields.add(RowType.field(name, trinoType(struct.getStructFieldTypeInfo(name))));
      return RowType.from(fields);
    }
    switch (info.getTypeName()) {
      case "string": return VarcharType.VARCHAR;
      case "int": return IntegerType.INTEGER;
      case "bigint": return BigintType.BIGINT;
      case "double": return DoubleType.DOUBLE;
      case "boolean": return BooleanType.BOOLEAN;
      case "timestamp": return TimestampType.TIMESTAMP_MILLIS;
      default: throw new IllegalArgumentException(info.getTypeName());
    }
  }

  static Object named(Type type, Object value) {
    if (value == null) return null;
    if (type instanceof RowType row) {
      var object = new LinkedHashMap<String, Object>();
      int i = 0;
      for (var field : row.getFields()) object.put(field.getName().orElseThrow(), named(field.getType(), ((List<?>) value).get(i++)));
      return object;
    }
    if (type instanceof ArrayType array) {
      var list = new ArrayList<Object>();
      for (Object one : (List<?>) value) list.add(named(array.getElementType(), one));
      return list;
    }
    return value;
  }

  static Deserializer hive(
      AbstractSerDe serde, List<String> names, List<TypeInfo> types, Map<String, String> properties) throws Exception {
    var all = new Properties();
    all.putAll(properties);
    all.setProperty("columns", String.join(",", names));
    all.setProperty("columns.types", String.join(":", types.stream().map(TypeInfo::getTypeName).toList()));
    serde.initialize(new Configuration(false), all, null);
    var struct = TypeInfoFactory.getStructTypeInfo(names, types);
    return line -> {
      var text = new Text(Arrays.copyOf(line.getBuffer(), line.getLength()));
      var row = ObjectInspectorUtils.copyToStandardJavaObject(serde.deserialize(text), serde.getObjectInspector());
      return ((Map<?, ?>) named(struct, row)).values().toArray();
    };
  }

  static Object named(TypeInfo type, Object value) {
    if (value == null) return null;
    if (type instanceof StructTypeInfo struct) {
      var object = new LinkedHashMap<String, Object>();
      for (int i = 0; i < struct.getAllStructFieldNames().size(); i++)
        object.put(struct.getAllStructFieldNames().get(i), named(struct.getAllStructFieldTypeInfos().get(i), ((List<?>) value).get(i)));
      return object;
    }
    if (type instanceof ListTypeInfo array) {
      var list = new ArrayList<Object>();
      for (Object one : (List<?>) value) list.add(named(array.getListElementTypeInfo(), one));
      return list;
    }
    return value;
  }

  /** As Python's reader of JSON takes it. */
  static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      var members = new StringJoiner(",", "{", "}");
      map.forEach((key, one) -> members.add(json(String.valueOf(key)) + ":" + json(one)));
      return members.toString();
    }
    if (value instanceof List<?> list) {
      var items = new StringJoiner(",", "[", "]");
      for (Object one : list) items.add(json(one));
      return items.toString();
    }
    if (value == null || value instanceof Number || value instanceof Boolean) return String.valueOf(value);
    var text = new StringBuilder("\"");
    for (char c : value.toString().toCharArray()) {
      if (c < ' ' || c == '"' || c == '\\' || c > '~') text.append(String.format("\\u%04x", (int) c));
      else text.append(c);
    }
    return text.append('"').toString();
  }
}
