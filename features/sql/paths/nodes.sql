-- one row per page before :as_of: visits, visitors, and the squares of a visitor's visits
with by_visitor as (
    select
        entity_id,
        node,
        count(*) as visits
    from visits
    group by entity_id, node
)

select
    node,
    cast(sum(visits) as bigint) as visits,
    count(*) as users,
    cast(sum(visits * visits) as bigint) as squares
from by_visitor
group by node
