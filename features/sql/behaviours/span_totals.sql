-- one row per span: the days with any behaviour before :as_of
with counted as (
    select
        entity_id,
        round,
        count(distinct day) as days
    from span_days
    group by entity_id, round
)

select
    spans.entity_id,
    spans.round,
    spans.alike,
    spans.stayed,
    cast(coalesce(counted.days, 0) as int) as days
from spans
left join counted on spans.entity_id = counted.entity_id and spans.round = counted.round
