{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- The schema as configured, without the target's name before it: the gate, the publish step and people's SQL name it. -#}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
