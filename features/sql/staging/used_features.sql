-- one row per customer and app feature used before :as_of
select
    entity_id,
    feature,
    max(day) as last_day,
    cast(count(*) as int) as use_count
from event_lines
where feature is not null
group by entity_id, feature
