-- one row per customer as of :as_of
select
    entity_id,
    count(*) as tag_count,
    :as_of - cast(max(day_number(local_at)) as int) as days_since_last_tag
from tags
group by entity_id
