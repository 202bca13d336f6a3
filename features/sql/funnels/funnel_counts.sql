-- one row per group and furthest step before :as_of: who entered and came so far, but no further
select
    case when :by_channel then way.channel else told.value end as value,
    way.furthest,
    count(*) as users
from way_first as way
left join funnel_groups as told on way.entity_id = told.entity_id
group by case when :by_channel then way.channel else told.value end, way.furthest
