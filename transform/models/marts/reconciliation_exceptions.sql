{{ config(unique_key=['source_provider', 'stream', 'row_key'], gone_when="new.fate = 'candidate'") }}

{{ fates(due=takes_due()) }}
