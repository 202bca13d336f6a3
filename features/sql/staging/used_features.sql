-- one row per customer and app feature used before :as_of
select
    entity_id,
    feature,
    cast(max(day_number(local_at)) as int) as last_day,
    count(*) as use_count
from events
where entity_id is not null and feature is not null
group by entity_id, feature
