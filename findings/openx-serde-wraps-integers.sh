#!/usr/bin/env bash
# OpenX JSON SerDe (io.starburst.openx.data:json-serde 1.3.9-e.12): an integer too large for its column is another integer.
#
# Behaviour: in a column of type bigint, 18446744073709551615 is read as -1 and 9223372036854775808 as -9223372036854775808;
# in one of type int, 3000000000 is -1294967296; 1.5 is 1. No error, no NULL. A string, "0.1, 0.2" in a column double, is an
# error instead, which ends the query. Trino's own deserializer of the same format (trino-hive-formats 411) gives NULL for each.
# Consequence: Athena's tables of JSON name this SerDe. Ids of 64 bits without a sign, and what may exceed its column, are
# declared as string, in which both give the digits as they are.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId>
  <artifactId>openx</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>io.starburst.openx.data</groupId><artifactId>json-serde</artifactId><version>1.3.9-e.12</version></dependency>
    <dependency><groupId>io.trino.hive</groupId><artifactId>hive-apache</artifactId><version>3.1.2-22</version></dependency>
    <dependency><groupId>io.trino.hadoop</groupId><artifactId>hadoop-apache</artifactId><version>3.3.5-2</version></dependency>
    <dependency><groupId>commons-logging</groupId><artifactId>commons-logging</artifactId><version>1.3.5</version></dependency>
  </dependencies>
</project>
POM
cat > Openx.java <<'JAVA'
import java.util.*;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorUtils;
import org.apache.hadoop.io.Text;

public class Openx {
  public static void main(String[] args) throws Exception {
    check("bigint", "18446744073709551615", "-1");
    check("bigint", "9223372036854775808", "-9223372036854775808");
    check("bigint", "1.5", "1");
    check("int", "3000000000", "-1294967296");
    check("string", "18446744073709551615", "18446744073709551615");
    check("double", "\"0.1, 0.2\"", "For input string: \"0.1, 0.2\"");
  }

  static void check(String type, String json, String expected) throws Exception {
    var serde = new org.openx.data.jsonserde.JsonSerDe();
    var table = new Properties();
    table.setProperty("columns", "n");
    table.setProperty("columns.types", type);
    serde.initialize(new Configuration(false), table, null);
    String read;
    try {
      Object row = serde.deserialize(new Text("{\"n\":" + json + "}"));
      read = String.valueOf(((List<?>) ObjectInspectorUtils.copyToStandardJavaObject(row, serde.getObjectInspector())).get(0));
    } catch (NumberFormatException error) {
      read = error.getMessage();
    }
    System.out.println(json + " as " + type + ": " + read);
    if (!read.equals(expected)) throw new AssertionError("expected " + expected);
  }
}
JAVA
mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib
java -cp 'lib/*' Openx.java 2> java.log || { cat java.log; exit 1; }
echo "as described"
