{% macro minor_units(amount, currency) -%}
    {#- Pence to pounds. ISO 4217 has currencies without a minor unit, and some with thousandths. -#}
    case
        when {{ currency }} in ('JPY', 'KRW', 'VND', 'CLP', 'ISK', 'PYG', 'UGX', 'RWF', 'XAF', 'XOF', 'XPF')
            then {{ amount }}::numeric
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then round({{ amount }} / 1000.0, 3)
        else round({{ amount }} / 100.0, 2)
    end
{%- endmacro %}
