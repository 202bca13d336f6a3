-- one row per customer, day and behaviour before :as_of: a feature used, a page seen, another event, an order
select distinct
    entity_id,
    cast(day_number(local_at) as int) as day,
    case
        when feature is not null then 'feature:' || feature
        when page is not null then 'page:' || page
        else 'event:' || event
    end as behaviour
from events
union all
select distinct
    entity_id,
    cast(day_number(local_at) as int) as day,
    'order' as behaviour
from orders
where kind = 'sale' and amount > 0
